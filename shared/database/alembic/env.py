"""Alembic's environment for every service: the runner hands over the connection, the schema comes from the role."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
