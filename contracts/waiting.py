"""Why recipients of a campaign wait, or why nobody can say for how long, in words. The codes are an open list: what is
not here is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping

_NETWORK = "the provider cannot be reached at the moment; it is tried again"

_WORDS: Mapping[str, str] = {
    "expanding": "the recipients are being looked up",
    "scheduled": "its time has not come yet",
    "not_launched": "the launch has not reached the sender yet",
    "paused": "somebody has paused it; resume it to go on",
    "too_many_dead_addresses": (
        "stopped by itself, because most of the first addresses do not exist according to the provider:"
        " check the account, then resume it"
    ),
    "rate_limited": "the account's rate is used up; it goes on as fast as the account allows",
    "throttled": "the provider has asked us to go slower",
    "recipient_throttled": "the provider has asked us to write less often to some devices",
    "unauthorized": "the provider refuses the account's credentials: correct them, and it goes on",
    "authorization": "the provider refuses the account's credentials: correct them, and it goes on",
    "provider_inactive": "the account is switched off: activate it, and it goes on",
    "provider_missing": "the account was removed: cancel the campaign, and clone it for another account",
    "provider_configuration": "the account's settings cannot be used: correct them, and it goes on",
    "template_unknown": "the template has not reached the sender yet, or was removed",
    "transient": "the provider has a fault at the moment; it is tried again",
    "endpoint_missing": "the provider does not know the device yet; it is tried again",
    "forecast_running": "the recipients are being counted",
    "no_provider": "no account is chosen, and there is no active one",
    "provider_unusable": "the account cannot send at the moment: verify it",
    "speed_unknown": "the account has no pace of its own set, and nothing was sent through it yet that would tell",
    "lease_expired": "a sender has stopped; another one goes on",
    **dict.fromkeys(
        ("dns", "connect", "tls", "timeout", "connection_lost", "stream_reset", "truncated", "malformed", "closed"),
        _NETWORK,
    ),
}


def describe_waiting(reason: str | None) -> str | None:
    """The words for a reason; None where nobody waits."""
    return None if reason is None else _WORDS.get(reason, reason)
