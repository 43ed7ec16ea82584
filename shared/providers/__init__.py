"""The vendors that carry messages: one interface, one HTTP wire, one file of pure functions per vendor."""
