"""Everything that this service asks of PostgreSQL."""
