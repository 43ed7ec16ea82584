"""When two requests are the same, and what the messages of a request are known by."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID, uuid5


@dataclass(frozen=True, slots=True, repr=False)
class Sent:
    """A request; `path` is decoded, `target` as it came. `by` says who sent it where others may not repeat it."""

    method: str
    path: str
    target: str
    body: bytes
    by: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Digests:
    """Digests of requests. They are keyed, lest one that is kept helps to guess a password in the request."""

    key: bytes

    def of(self, sent: Sent) -> bytes:
        """Equal for requests that are the same."""
        head = f"{sent.by}\n{sent.method} {sent.target}\n".encode()
        return blake2b(head + sent.body, key=self.key, digest_size=32).digest()


def digests(secrets_key: str) -> Digests:
    """Digests keyed by the oldest of the `SECRETS_KEY` list, which outlives a rotation."""
    oldest = secrets_key.split(",")[-1].strip()
    return Digests(blake2b(oldest.encode(), person=b"requests", digest_size=32).digest())


def message_request_id(effect_id: UUID, number: int) -> str:
    """What a message of a request is known by: the same when a gateway died over it and it is made again."""
    return str(uuid5(effect_id, str(number)))
