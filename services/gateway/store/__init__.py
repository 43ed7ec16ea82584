"""The gateway's SQL, by what it is about."""
