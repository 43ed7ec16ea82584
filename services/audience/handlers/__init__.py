"""What the audience service does when it hears something or is asked to."""
