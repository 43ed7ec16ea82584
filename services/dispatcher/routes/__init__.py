"""The dispatcher's part of the API; only the gateway calls it."""
