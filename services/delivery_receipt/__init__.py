"""Takes what providers and apps report, keeps it, and says what it means."""
