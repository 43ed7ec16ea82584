"""The analytics service's SQL."""
