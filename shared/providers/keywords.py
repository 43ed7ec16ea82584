"""What a person means who answers with one word.

The stop words are those of 47 CFR 64.1200(a)(10) and of the vendors' lists, with French and Spanish ones that carriers
in North America know.
"""

from __future__ import annotations

_STOP = (
    *("stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out", "opt-out"),
    *("remove", "arret", "arrêt", "td", "parar", "alto", "baja"),
)
_INTENTS = {
    **dict.fromkeys(_STOP, "stop"),
    **dict.fromkeys(("start", "unstop", "yes", "subscribe"), "start"),
    **dict.fromkeys(("help", "info", "aide"), "help"),
}
_FIRST_WORDS = frozenset({"stop", "stopall", "unsubscribe", "start", "unstop", "help", "arret", "arrêt"})
"""Words that mean the same when more follows; of the others only the whole message counts ("end of the month?")."""


def intent_of(text: str) -> str:
    """stop, start, help or other."""
    words = "".join(letter if letter.isalnum() or letter == "-" else " " for letter in text.lower()).split()
    whole = " ".join(words)
    if whole in _INTENTS:
        return _INTENTS[whole]
    return _INTENTS[words[0]] if words and words[0] in _FIRST_WORDS else "other"
