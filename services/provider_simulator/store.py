"""The request log: every send that arrived in full, on disk before it is answered; a few bytes each in memory."""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from zlib import crc32

import msgspec

REPORTS = ("sent", "delivered", "undelivered", "failed", "opened", "clicked")
"""Kinds of callbacks that the log counts: none, once, or more than once."""

_READ_BYTES = 1 << 20
_REPORT = {report: position for position, report in enumerate(REPORTS)}


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the log.

    `accepted` says that the person gets the message, whatever the sender was told; `refused_later`, that the sender was
    told so although the person does not.
    """

    sequence: int
    time: str
    provider: str
    account: str
    address: str
    digest: str
    answer: str
    accepted: bool
    id: str = ""
    reference: str = ""
    sender: str = ""
    refused_later: bool = False


_encode = msgspec.json.Encoder().encode
_decode_entry = msgspec.json.Decoder(Entry).decode


class RequestLog:
    """Lines are `Entry` as JSON, a tab and the text as JSON; the text leaves only through `find`."""

    def __init__(self, path: str) -> None:
        if path:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        else:
            handle, name = tempfile.mkstemp(prefix="simulator-log-")
            os.unlink(name)
            self._file = handle
        self._unwritten: list[bytes] = []
        self._end = 0
        self._starts = array("Q")
        self._addresses = array("I")
        self._once = array("H")
        self._twice = array("H")
        self._recover()

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, entry: Entry, text: str) -> None:
        """Notes a request; it is on disk after `flush`. `entry.sequence` must be `len(log) + 1`."""
        line = _encode(entry) + b"\t" + _encode(text) + b"\n"
        self._unwritten.append(line)
        self._note(entry.address, len(line))

    def flush(self) -> None:
        """Writes what was noted; call it before the answer leaves."""
        if self._unwritten:
            lines = b"".join(self._unwritten)
            self._unwritten.clear()
            os.pwrite(self._file, lines, self._end - len(lines))

    def mark(self, sequence: int, report: str) -> None:
        """A callback was taken by its receiver. A sequence from before a reset is ignored."""
        if 0 < sequence <= len(self._once):
            bit = 1 << _REPORT[report]
            if self._once[sequence - 1] & bit:
                self._twice[sequence - 1] |= bit
            else:
                self._once[sequence - 1] |= bit

    def read(self, after: int) -> Iterator[bytes]:
        """The lines after a sequence as chunks of whole lines of JSON, as of the time of reading each chunk."""
        self.flush()
        position = max(after, 0)
        while position < len(self._starts):
            upto, begin = position, self._starts[position]
            while upto < len(self._starts) and self._starts[upto] - begin < _READ_BYTES:
                upto += 1
            end = self._starts[upto] if upto < len(self._starts) else self._end
            lines = os.pread(self._file, end - begin, begin).splitlines()
            yield b"".join(
                b'%b,"callbacks":%b}\n' % (line[: line.index(b"\t") - 1], self._reports(position + offset))
                for offset, line in enumerate(lines)
            )
            position = upto

    def find(self, address: str) -> list[tuple[Entry, str, list[str]]]:
        """All requests to an address in order, with text and callbacks taken so far."""
        self.flush()
        found: list[tuple[Entry, str, list[str]]] = []
        wanted, position = crc32(address.encode()), -1
        while True:
            try:
                position = self._addresses.index(wanted, position + 1)
            except ValueError:
                return found
            entry, text = self.at(position + 1)
            if entry.address == address:
                found.append((entry, text, self.reports(position + 1)))

    def newest_first(self, until: str) -> Iterator[tuple[Entry, str, list[str]]]:
        """All requests up to a time (the beginning of an entry's), with text and callbacks taken so far."""
        sequences = range(1, len(self) + 1)
        after = bisect_right(sequences, until, key=lambda sequence: self.at(sequence)[0].time[: len(until)])
        for sequence in reversed(sequences[:after]):
            yield *self.at(sequence), self.reports(sequence)

    def at(self, sequence: int) -> tuple[Entry, str]:
        """One request and its text; raises IndexError."""
        self.flush()
        if not 0 < sequence <= len(self._starts):
            raise IndexError(sequence)
        begin = self._starts[sequence - 1]
        end = self._starts[sequence] if sequence < len(self._starts) else self._end
        entry, _, text = os.pread(self._file, end - begin, begin).partition(b"\t")
        return _decode_entry(entry), msgspec.json.decode(text, type=str)

    def reports(self, sequence: int) -> list[str]:
        """The callbacks taken, each as often as it was."""
        once, twice = self._once[sequence - 1], self._twice[sequence - 1]
        return [report for position, report in enumerate(REPORTS) for seen in (once, twice) if seen & (1 << position)]

    def reset(self) -> None:
        """Forgets everything."""
        self._unwritten.clear()
        os.ftruncate(self._file, 0)
        self._end = 0
        for column in (self._starts, self._addresses, self._once, self._twice):
            del column[:]

    def close(self) -> None:
        """Writes what was noted and closes the file."""
        self.flush()
        os.close(self._file)

    def _reports(self, position: int) -> bytes:
        if not self._once[position]:
            return b"[]"
        return _encode(self.reports(position + 1))

    def _note(self, address: str, length: int) -> None:
        self._starts.append(self._end)
        self._addresses.append(crc32(address.encode()))
        self._once.append(0)
        self._twice.append(0)
        self._end += length

    def _recover(self) -> None:
        """Finds the lines of an earlier run; one that was cut off by a crash is dropped."""
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            for line in lines:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, self._end)
                    break
                self._note(_decode_entry(line.partition(b"\t")[0]).address, len(line))
