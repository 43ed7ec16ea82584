"""What the campaign service does when it hears something or is asked to."""
