"""Rows of tables as values of their own types."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from psycopg import sql


def columns_of(kind: type[Any]) -> sql.Composed:
    """The columns of a dataclass whose fields are named as they are."""
    return sql.SQL(", ").join(sql.Identifier(one.name) for one in fields(kind))


def insertion(table: str, values: dict[str, Any]) -> sql.Composed:
    """INSERT of these values by their names, without its end."""
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    given = sql.SQL(", ").join(map(sql.Placeholder, values))
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), names, given)


def assignments(values: dict[str, Any]) -> sql.Composed:
    """What stands after SET."""
    return sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder(n)) for n in values)
