"""What the gateway answers to."""
