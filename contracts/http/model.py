"""What all HTTP shapes share: camelCase, no unknown fields, no echo of what was sent."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel

NAME_MAX = 200
DESCRIPTION_MAX = 2_000


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
        if _holds_nul(value):
            raise ValueError("must not hold the character NUL")
        return value

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by column name."""
        return self.model_dump(exclude_unset=True)


def _holds_nul(value: Any) -> bool:
    """PostgreSQL has no such character."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in str(name) or _holds_nul(one) for name, one in value.items())
    return isinstance(value, list) and any(_holds_nul(one) for one in value)
