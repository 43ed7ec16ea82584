"""What the audience service decides, without input or output."""
