"""What Twilio's codes mean. https://www.twilio.com/docs/api/errors

Those of 20xxx and 21xxx come with the answer, those of 30xxx with the webhook.
"""

from __future__ import annotations

_CLASSES: dict[str, tuple[int, ...]] = {
    "recipient_permanent": (21211, 21217, 21401, 21614, 30005, 30006),
    "recipient_opted_out": (21610,),
    "recipient_temporary": (21612, 30003, 30004, 30450),
    "throttled": (20429, 21611, 30001, 30017, 30022, 30023, 30027),
    "transient": (20500, 20503, 30008),
    "content": (21602, 21617, 21618, 21620, 30007, 30019, 30036),
    "config": (
        *(20003, 20404, 21212, 21219, 21408, 21603, 21606, 21608, 21701, 21703, 21704, 21705),
        *(30002, 30024, 30032, 30033, 30034, 30035, 90010),
    ),
    "unknown": (30410,),
}
_CLASS_OF = {code: error_class for error_class, codes in _CLASSES.items() for code in codes}


def error_class_of(code: int | None) -> str:
    """The class of one of Twilio's codes."""
    return _CLASS_OF.get(code, "unknown") if code is not None else "unknown"


def segments_of(num_segments: str | int | None) -> int | None:
    """Twilio's count of a message's segments; with a messaging service it is "0" at first."""
    text = str(num_segments)
    return int(text) or None if text.isdecimal() else None
