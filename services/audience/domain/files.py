"""CSV and JSON lines, as they stream in: complete rows come out, what is malformed is named and skipped."""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import Any, Protocol

import msgspec

QUOTED_BYTES_MAX = 1 << 20
"""A quote that nobody closes is given up after so many bytes."""

_NOT_UTF8 = "the file is not UTF-8: save it with that encoding; its header holds bytes that no such text has"
_BAD_QUOTE = "has a quote that is not closed, or text behind a closing quote"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that cannot be read: what is wrong with it, and its text."""

    reason: str
    original: str


Row = tuple[int, dict[str, Any] | Malformed]
"""Number of the row in the file (a CSV header is row 1), and its values or what is wrong with it."""


class BadFile(ValueError):
    """A file that cannot be read at all; the text names what to change."""


WORKBOOK = b"PK\x03\x04"
"""How a zip archive begins, and so an .xlsx."""


def refuse_workbook(piece: bytes) -> None:
    """Raises `BadFile` where the file begins as a spreadsheet program's own."""
    if piece.startswith(WORKBOOK):
        raise BadFile("this is an Excel workbook (.xlsx) or a zip archive: save it as “CSV UTF-8” and send that file")


class RowReader(Protocol):
    """Takes the file in pieces of any size."""

    def feed(self, piece: bytes) -> Iterator[Row]:
        """The rows that are complete now."""
        ...

    def finish(self) -> Iterator[Row]:
        """The last row, if it does not end in a newline."""
        ...


class CsvRows:
    """RFC 4180 with a header; separated by commas, or by semicolons when the header has no comma. UTF-8."""

    def __init__(self, check_header: Callable[[list[str]], None], row_bytes_max: int) -> None:
        self.check_header = check_header
        self.row_bytes_max = row_bytes_max
        self.header: list[str] = []
        self.delimiter = ","
        self.number = 0
        self.rest = b""

    def feed(self, piece: bytes) -> Iterator[Row]:
        self.rest += piece
        end = self.rest.rfind(b"\n") + 1
        if not end:
            if len(self.rest) > self.row_bytes_max:
                raise BadFile(f"row {self.number + 1} is longer than {self.row_bytes_max} bytes")
            return
        if self.rest.count(b'"', 0, end) % 2 and len(self.rest) < QUOTED_BYTES_MAX:
            return
        complete, self.rest = self.rest[:end], self.rest[end:]
        yield from self._rows(complete)

    def finish(self) -> Iterator[Row]:
        complete, self.rest = self.rest, b""
        if complete:
            yield from self._rows(complete)
        if not self.header:
            raise BadFile("the file is empty: a header with the names of the columns is needed")

    def _rows(self, complete: bytes) -> Iterator[Row]:
        text, is_utf8 = complete.decode("utf-8", "surrogateescape"), True
        try:
            text.encode()
        except UnicodeEncodeError:
            is_utf8 = False
        if not self.header:
            text = text.removeprefix("\ufeff")
            first = text.partition("\n")[0]
            if "\0" in first:
                raise BadFile(_NOT_UTF8)
            self.delimiter = ";" if ";" in first and "," not in first else ","
        lines, start = list(StringIO(text, newline="")), 0
        while start < len(lines):
            reader = csv.reader(islice(lines, start, None), delimiter=self.delimiter, strict=True)
            start = yield from self._rows_until_fault(reader, lines, start, is_utf8)

    def _rows_until_fault(self, reader: Any, lines: list[str], start: int, is_utf8: bool) -> Generator[Row, None, int]:
        """Returns the line to go on with: behind the last one, or behind the first one of a row that went wrong.

        So a quote that nobody closes costs its own line, not those that follow.
        """
        taken = 0
        while True:
            try:
                cells = next(reader, None)
            except csv.Error:
                if not self.header:
                    raise BadFile(f"the first row {_BAD_QUOTE}") from None
                self.number += 1
                yield self.number, Malformed(_BAD_QUOTE, lines[start + taken])
                return start + taken + 1
            if cells is None:
                return start + taken
            self.number += 1
            if not self.header:
                if not (is_utf8 or _are_utf8(cells)):
                    raise BadFile(_NOT_UTF8)
                self._take_header(cells)
            elif reader.line_num - taken > 1 and len(cells) != len(self.header):
                yield self.number, Malformed(_BAD_QUOTE, lines[start + taken])
                return start + taken + 1
            elif cells:
                yield self.number, self._values(cells, is_utf8)
            taken = reader.line_num

    def _take_header(self, cells: list[str]) -> None:
        header = [cell.strip() for cell in cells]
        if not any(header):
            raise BadFile("the first row must name the columns")
        if repeated := sorted({name for name in header if header.count(name) > 1}):
            raise BadFile(f"columns are named twice: {', '.join(repeated)}")
        self.check_header(header)
        self.header = header

    def _values(self, cells: list[str], is_utf8: bool) -> dict[str, Any] | Malformed:
        if len(cells) != len(self.header):
            reason = f"has {len(cells)} columns instead of {len(self.header)}"
            return Malformed(reason, self.delimiter.join(cells))
        if not (is_utf8 or _are_utf8(cells)):
            return Malformed("is not UTF-8", self.delimiter.join(cells))
        return dict(zip(self.header, cells, strict=True))


def _are_utf8(cells: list[str]) -> bool:
    """False where a byte was read that belongs to no character."""
    return not any("\udc80" <= character <= "\udcff" for cell in cells for character in cell)


class JsonRows:
    """One JSON object a line. UTF-8."""

    def __init__(self, row_bytes_max: int) -> None:
        self.row_bytes_max = row_bytes_max
        self.number = 0
        self.rest = b""
        self.decode = msgspec.json.Decoder(dict[str, Any]).decode

    def feed(self, piece: bytes) -> Iterator[Row]:
        *complete, self.rest = (self.rest + piece).split(b"\n")
        if len(self.rest) > self.row_bytes_max:
            raise BadFile(f"row {self.number + len(complete) + 1} is longer than {self.row_bytes_max} bytes")
        for line in complete:
            yield from self._row(line)

    def finish(self) -> Iterator[Row]:
        line, self.rest = self.rest, b""
        yield from self._row(line)

    def _row(self, line: bytes) -> Iterator[Row]:
        self.number += 1
        if not line.strip():
            return
        try:
            yield self.number, self.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield self.number, Malformed("is not a JSON object", line.decode("utf-8", "replace"))
