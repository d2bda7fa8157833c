"""Start lines, header fields and body lengths of HTTP/1.1 (RFC 9112)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from probes.tap.decode.input import Malformed
from probes.tap.decode.text import decoded

Field = tuple[bytes, bytes]

_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) ([^\x00-\x20]+) HTTP/1\.[01]\r?")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: ([^\r]*))?\r?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\r?", re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")


class RequestLine(NamedTuple):
    method: bytes
    target: bytes


class StatusLine(NamedTuple):
    status: int
    reason: bytes


@dataclass(frozen=True, slots=True)
class Framing:
    """How a body ends: it has none, after ``length`` bytes, with the last chunk, or with the connection."""

    kind: Literal["none", "length", "chunked", "close"]
    length: int = 0

    def __str__(self) -> str:
        return {"none": "no body", "length": f"{self.length} bytes", "close": "until close"}.get(self.kind, self.kind)


def request_head(head: bytes) -> tuple[RequestLine, list[Field]]:
    """Raises Malformed."""
    lines = head.split(b"\n")
    found = _REQUEST.fullmatch(lines[0])
    if not found:
        raise Malformed("no HTTP/1 request line")
    return RequestLine(found[1], found[2]), _fields(lines[1:])


def response_head(head: bytes) -> tuple[StatusLine, list[Field]]:
    """Raises Malformed."""
    lines = head.split(b"\n")
    found = _STATUS.fullmatch(lines[0])
    if not found:
        raise Malformed("no HTTP/1 status line")
    return StatusLine(int(found[1]), found[2] or b""), _fields(lines[1:])


def _fields(lines: list[bytes]) -> list[Field]:
    fields: list[Field] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and fields:
            # obs-fold (RFC 9112 section 5.2): old, but it may be met in a response.
            fields[-1] = (fields[-1][0], fields[-1][1] + b" " + line.strip())
        elif found := _FIELD.fullmatch(line):
            fields.append((found[1].lower(), found[2]))
        elif line.strip(b"\r"):
            raise Malformed("no header field")
    return fields


def chunk_size(line: bytes) -> int:
    """Of a chunk's first line. Raises Malformed."""
    found = _CHUNK.fullmatch(line)
    if not found:
        raise Malformed("no chunk size")
    return int(found[1], 16)


def request_framing(fields: list[Field]) -> Framing:
    """RFC 9112 section 6.3, rules 3 to 7. Raises Malformed."""
    codings = _list(fields, b"transfer-encoding")
    if codings:
        if codings[-1].lower() != b"chunked":
            raise Malformed("a request whose transfer coding does not end with chunked")
        return Framing("chunked")
    return _by_length(fields) or Framing("none")


def response_framing(method: bytes, status: int, fields: list[Field]) -> Framing:
    """RFC 9112 section 6.3, rules 1 and 3 to 8; 2 is the caller's. Raises Malformed."""
    if method == b"HEAD" or status < 200 or status in (204, 304):
        return Framing("none")
    codings = _list(fields, b"transfer-encoding")
    if codings:
        return Framing("chunked" if codings[-1].lower() == b"chunked" else "close")
    return _by_length(fields) or Framing("close")


def _by_length(fields: list[Field]) -> Framing | None:
    lengths = set(_list(fields, b"content-length"))
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise Malformed("content-length is no number, or two different ones")
    return Framing("length" if int(length) else "none", int(length))


def _list(fields: list[Field], wanted: bytes) -> list[bytes]:
    return [item.strip() for name, value in fields if name == wanted for item in value.split(b",") if item.strip()]


def upgrade_of(fields: list[Field]) -> str:
    """The protocol that a 101 turns to, in lower case."""
    return decoded(b",".join(_list(fields, b"upgrade"))).lower()
