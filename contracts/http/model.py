"""What all HTTP shapes share: camelCase, no unknown fields, no echo of what was sent."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
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

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by column name."""
        return self.model_dump(exclude_unset=True)
