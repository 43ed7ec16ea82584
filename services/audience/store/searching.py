"""Finding customers by the beginning of what a person types."""

from __future__ import annotations

from shared.database import Connection

_SEARCHED = (
    "customer_id",
    "phone_number",
    "lower(email)",
    "lower(first_name || ' ' || coalesce(last_name, ''))",
    "lower(last_name || ' ' || coalesce(first_name, ''))",
)
"""Each has an index that begins with the tenant and a space, but for the id, which is the key."""


async def find_searched(
    connection: Connection, user_id: str, search: str, rows_max: int, whole_numbers: bool
) -> list[str]:
    """Ids of customers whose id, number, e-mail address or name, either way round, begins so; each by an index.

    With `whole_numbers` a phone number has to be all that is searched for.
    """
    probes = " UNION ".join(
        _probe(searched, is_whole=whole_numbers and searched == "phone_number") for searched in _SEARCHED
    )
    cursor = await connection.execute(
        f"SELECT customer_id FROM ({probes}) found ORDER BY customer_id LIMIT %(rows_max)b",  # noqa: S608
        {"user_id": user_id, "search": search, "rows_max": rows_max},
        prepare=False,
    )
    return [row[0] for row in await cursor.fetchall()]


def _probe(searched: str, is_whole: bool) -> str:
    """The first customers whose `searched` begins so, or is that, in its order."""
    wanted = "lower(%(search)b)" if searched.startswith("lower") else "%(search)b"
    place = f'{searched} COLLATE "C"'
    if searched != "customer_id":
        place, wanted = f"(user_id || ' ' || {searched}) COLLATE \"C\"", f"%(user_id)b || ' ' || {wanted}"
    below = f"<= {wanted}" if is_whole else f"< {wanted} || chr(1114111)"
    return f"""
        (SELECT customer_id FROM customers
         WHERE user_id = %(user_id)b AND {searched} IS NOT NULL
            AND {place} >= {wanted} AND {place} {below}
         ORDER BY {place} LIMIT %(rows_max)b)
    """  # noqa: S608
