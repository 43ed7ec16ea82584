"""What the services say to each other: events, topics, HTTP shapes, and the language of messages."""
