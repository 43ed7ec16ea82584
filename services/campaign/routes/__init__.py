"""The campaign service's part of the API; only the gateway calls it."""
