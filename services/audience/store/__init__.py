"""The audience service's SQL."""
