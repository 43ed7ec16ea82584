"""Tests of campaigns, counted by tenant and day (UTC)."""

from __future__ import annotations

from shared.database import Connection

_TODAY = "(clock_timestamp() AT TIME ZONE 'UTC')::date"


async def take_tests(connection: Connection, user_id: str, messages: int, most: int) -> bool:
    """Counts so many messages for today; False, and none is counted, where that would be more than `most`."""
    cursor = await connection.execute(
        f"""
        INSERT INTO test_days AS known (user_id, day, messages)
        SELECT %(user)b, {_TODAY}, %(messages)b WHERE %(messages)b <= %(most)b
        ON CONFLICT (user_id, day) DO UPDATE SET messages = known.messages + excluded.messages
        WHERE known.messages + excluded.messages <= %(most)b
        """,
        {"user": user_id, "messages": messages, "most": most},
    )
    return cursor.rowcount == 1


async def delete_old_test_days(connection: Connection) -> None:
    """Forgets the days before yesterday."""
    await connection.execute(f"DELETE FROM test_days WHERE day < {_TODAY} - 1")  # noqa: S608
