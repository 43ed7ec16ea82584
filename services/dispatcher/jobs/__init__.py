"""The loops of the dispatcher."""
