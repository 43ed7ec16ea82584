"""What all HTTP shapes share: camelCase, no unknown fields, no echo of what was sent."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel

NAME_MAX = 200
DESCRIPTION_MAX = 2_000

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
        if _holds_unstorable(value):
            raise ValueError("must not hold the character NUL, nor half of a character")
        return value

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by column name."""
        return self.model_dump(exclude_unset=True)


def _holds_unstorable(value: Any) -> bool:
    """Whether there is text in it that PostgreSQL, or UTF-8, cannot hold."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is not None
    if isinstance(value, dict):
        return any(_holds_unstorable(str(name)) or _holds_unstorable(one) for name, one in value.items())
    return isinstance(value, list) and any(_holds_unstorable(one) for one in value)
