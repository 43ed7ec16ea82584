"""What the campaign service decides."""
