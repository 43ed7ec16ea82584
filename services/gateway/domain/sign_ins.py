"""How wrong passwords are slowed down: by account and address together first, so that nobody locks others out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

LOCK_SECONDS_FIRST = 30
LOCK_SECONDS_MAX = 900
FORGOTTEN_HOURS = 24
"""Failures are counted together that lie less than this apart."""

KNOWN_DAYS = 90
"""An address from which an account was opened within these days is not kept out by what others do to the account."""

_FREE = {"pair": 5, "address": 50, "account": 100}


@dataclass(frozen=True, slots=True)
class Subject:
    """One count of failures: of an account from one address, of an address, of an account."""

    kind: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a subject."""

    failures: int = 0
    failed_at: datetime | None = None
    locked_until: datetime | None = None
    succeeded_at: datetime | None = None


def subjects_of(email: str, address: str) -> tuple[Subject, ...]:
    """The three counts that an attempt belongs to; the digests tell neither e-mail nor address."""
    parts = {"pair": f"{email} {address}", "address": address, "account": email}
    return tuple(
        Subject(kind, blake2b(f"{kind} {part}".encode(), digest_size=16).digest()) for kind, part in parts.items()
    )


def wait_seconds(records: Sequence[tuple[Subject, Record]], now: datetime) -> int:
    """How long the next attempt must wait; 0 when it may be made now."""
    known = any(one.kind == "pair" and _is_known(record, now) for one, record in records)
    locks = [
        (record.locked_until - now).total_seconds()
        for one, record in records
        if record.locked_until is not None and not (known and one.kind == "account")
    ]
    return max(0, *(int(seconds) + 1 for seconds in locks if seconds > 0), 0)


def after_failure(subject: Subject, record: Record, now: datetime) -> Record:
    """The record with one failure more; the lock doubles with each one past those that are free."""
    recent = record.failed_at is not None and now - record.failed_at < timedelta(hours=FORGOTTEN_HOURS)
    failures = record.failures + 1 if recent else 1
    locked_until = None
    if (past := failures - _FREE[subject.kind]) >= 0:
        seconds = min(LOCK_SECONDS_FIRST << min(past, 10), LOCK_SECONDS_MAX)
        locked_until = now + timedelta(seconds=seconds)
    return Record(failures, now, locked_until, record.succeeded_at)


def after_success(subject: Subject, record: Record, now: datetime) -> Record:
    """The record when the attempt that was counted as a failure turns out well."""
    if subject.kind == "pair":
        return Record(0, None, None, now)
    return Record(max(record.failures - 1, 0), record.failed_at, None, record.succeeded_at)


def _is_known(record: Record, now: datetime) -> bool:
    return record.succeeded_at is not None and now - record.succeeded_at < timedelta(days=KNOWN_DAYS)
