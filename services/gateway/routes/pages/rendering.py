"""Templates, and how values look on a page: numbers, money, moments, addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from contracts.channels import CHANNELS
from services.gateway.domain.masking import masked_address
from services.gateway.routes.pages.statics import Statics
from services.gateway.routes.pages.words import (
    APPROVAL_STATES,
    CHANNEL_WORDS,
    CONFIRMATIONS,
    CURVES,
    NAVIGATION,
    PRICED_AT_ONCE,
    STATUSES,
    UNKNOWN_COUNTRIES,
    Badge,
    badge_of,
    event_words,
    reason_words,
    recipient_badges,
    waiting_words,
)

FOLDER = Path(__file__).resolve().parents[2] / "templates"
MICROS = 1_000_000
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
DURATIONS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def strict_environment(folder: Path) -> Environment:
    """Templates that escape everything and stumble over what is missing."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def make_environment(statics: Statics) -> Environment:
    """The pages' templates with what all of them use."""
    environment = strict_environment(FOLDER)
    environment.filters |= {
        "number": number,
        "percent": percent,
        "micros": micros,
        "amount": amount,
        "masked": masked,
        "duration": duration,
        "reason": reason_words,
        "waiting": waiting_words,
        "pretty": pretty,
        "with_query": with_query,
        "worded": worded,
        "options": options,
    }
    environment.globals |= {
        "static": statics.address,
        "channels": CHANNELS,
        "channel_words": CHANNEL_WORDS,
        "navigation": NAVIGATION,
        "confirmations": CONFIRMATIONS,
        "priced_at_once": PRICED_AT_ONCE,
        "unknown_countries": UNKNOWN_COUNTRIES,
        "curve_words": {name: words for name, (words, _) in CURVES.items()},
        "curve_kinds": {name: kind for name, (_, kind) in CURVES.items()},
        "status_badge": partial(badge_of, STATUSES),
        "approval_badge": partial(badge_of, APPROVAL_STATES),
        "recipient_badges": recipient_badges,
        "event_words": event_words,
    }
    return environment


def options(table: Mapping[str, Badge]) -> list[tuple[str, str]]:
    """Value and words for a list to choose from."""
    return [(code, badge.word) for code, badge in table.items()]


def number(value: float | None) -> str:
    """With commas, and at most one decimal; a dash for what is not known."""
    return "–" if value is None else f"{value:,.1f}".removesuffix(".0")


def percent(value: float, of: int = 1) -> str:
    """One decimal, as the API rounds it; a dash for a part of nothing."""
    return f"{value:.1f}%" if of else "–"


def micros(value: int, currency: str) -> str:
    """An amount in millionths of a currency."""
    return amount(value / MICROS, currency)


def amount(value: float, currency: str) -> str:
    """Two decimals, four where the amount would otherwise vanish."""
    shown = f"{value:,.4f}" if 0 < abs(value) < 1 else f"{value:,.2f}"
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{shown}" if symbol else f"{currency} {shown}"


def masked(address: str | None) -> str:
    """A part of an address; a dash for none."""
    return masked_address(address) if address else "–"


def duration(seconds: float | None) -> str:
    """The two largest units, such as `2 h 5 min`."""
    if seconds is None:
        return "–"
    left = round(seconds)
    shown: list[str] = []
    for length, unit in DURATIONS:
        if left >= length and len(shown) < 2:
            shown.append(f"{left // length} {unit}")
            left %= length
        elif shown:
            break
    return " ".join(shown) or "less than 1 s"


def moment(zone: tzinfo) -> Callable[..., Markup]:
    """A filter that shows times in the viewer's zone, which it names; in brief without the day where it is today."""

    def show(value: str | datetime | None, seconds: bool = False, brief: bool = False) -> Markup:
        if value is None:
            return Markup("–")
        at = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(zone)
        day = "" if brief and at.date() == datetime.now(zone).date() else f"{at:%b} {at.day}, {at.year}, "
        text = f"{day}{at:%H:%M:%S}" if seconds else f"{day}{at:%H:%M}"
        return Markup('<time datetime="{}">{} {}</time>').format(at.astimezone(UTC).isoformat(), text, at.tzname())

    return show


def tick(zone: tzinfo) -> Callable[[datetime, bool, bool], str]:
    """A moment under a chart, in the viewer's zone; with its day where a chart reaches over several, with its second
    where it is brief."""

    def show(at: datetime, with_day: bool, with_seconds: bool) -> str:
        own = at.astimezone(zone)
        if with_seconds:
            return f"{own:%H:%M:%S}"
        return f"{own:%b} {own.day}, {own:%H:%M}" if with_day else f"{own:%H:%M}"

    return show


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


_CAPITAL = re.compile("[A-Z]")


def worded(name: str) -> str:
    """A field's name as words: `approvalAbove` is Approval above."""
    words = _CAPITAL.sub(lambda found: f" {found[0].lower()}", name)
    return words[:1].upper() + words[1:]


def with_query(path: str, query: Mapping[str, object], **changes: object) -> str:
    """The path with a query; what is empty is left out."""
    wanted = {name: value for name, value in {**query, **changes}.items() if value not in (None, "")}
    return f"{path}?{urlencode(wanted)}" if wanted else path
