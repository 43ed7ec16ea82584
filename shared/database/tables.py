"""The tables that the shared machinery needs in a service's schema."""

from __future__ import annotations

from typing import Protocol


class Migration(Protocol):
    """What we need of `alembic.op`."""

    def execute(self, sqltext: str, /) -> None:
        """Runs one statement."""


def create_outbox(op: Migration) -> None:
    """Records to publish, written in the transaction that makes them true."""
    op.execute(
        """
        CREATE TABLE outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            topic text NOT NULL,
            key text NOT NULL,
            value bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            sent_at timestamptz
        )
        """
    )
    op.execute("ALTER TABLE outbox ALTER COLUMN value SET STORAGE EXTERNAL")
    op.execute("CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL")
    op.execute("CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL")


def create_inbox(op: Migration) -> None:
    """Ids of events whose work is done, for handlers that are not idempotent by their own keys."""
    op.execute(
        """
        CREATE TABLE inbox (
            event_id uuid PRIMARY KEY,
            seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    op.execute("CREATE INDEX inbox_seen_at ON inbox (seen_at)")
