"""What all HTTP shapes share: camelCase, no unknown fields, no echo of what was sent."""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel

NAME_MAX = 200
DESCRIPTION_MAX = 2_000

LEVELS_MAX = 50
"""Of lists and objects in each other; a filter at its own limit has half as many."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Model(BaseModel):
    """A body that somebody sends us."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_stored(cls, value: Any) -> Any:
        if reason := _why_unstorable(value, LEVELS_MAX):
            raise ValueError(reason)
        return value

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by column name."""
        return self.model_dump(exclude_unset=True)


def is_storable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 can hold it."""
    return _UNSTORABLE.search(text) is None


def _why_unstorable(value: Any, levels: int) -> str | None:
    """Why PostgreSQL, JSON or UTF-8 cannot hold it, so deep as it is looked at; None for what they can."""
    if isinstance(value, str):
        return None if is_storable(value) else "must not hold the character NUL, nor half of a character"
    if isinstance(value, float):
        return None if math.isfinite(value) else "must be a finite number"
    if not isinstance(value, list | dict):
        return None
    if levels == 0:
        return f"must not be deeper than {LEVELS_MAX} levels"
    parts = value if isinstance(value, list) else (*map(str, value), *value.values())
    return next(filter(None, (_why_unstorable(one, levels - 1) for one in parts)), None)
