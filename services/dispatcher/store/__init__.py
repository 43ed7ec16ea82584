"""The dispatcher's SQL."""
