"""What the gateway does: who asks, doing a thing once, and passing requests on."""
