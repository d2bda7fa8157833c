"""Header blocks of HTTP/2: HPACK state that follows both peers, and what a block says in a few words.

Held at most: a block of ``BLOCK_LIMIT`` bytes (gRPC sends HEADERS frames over 16 KiB rather than
CONTINUATION), unpacked ``LIST_LIMIT``, a dynamic table of ``TABLE_LIMIT``, ``SETTINGS_LIMIT`` settings without
acknowledgement.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from hpack import Decoder
from hpack.exceptions import HPACKError

from probes.tap.decode.input import Malformed
from probes.tap.decode.text import decoded, grpc_message, printable, tag_of, target
from probes.tap.seen import Tag

BLOCK_LIMIT = 128 << 10
LIST_LIMIT = 256 << 10
TABLE_LIMIT = 1 << 20
SETTINGS_LIMIT = 256
_DEFAULT_TABLE = 4096

GRPC_STATUS = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)

Block = dict[bytes, bytes]


class TableSizes:
    """How large the table of whoever sends to this peer may be, by this peer's SETTINGS_HEADER_TABLE_SIZE.

    A larger value is allowed at once and a smaller one asked for only from the acknowledgement on: between
    the two, blocks that were already under way use the old one (RFC 7541 section 4.2, RFC 9113 section 6.5.3).
    """

    def __init__(self) -> None:
        self._acknowledged = _DEFAULT_TABLE
        self._offered: deque[int | None] = deque()

    def offered(self, size: int | None) -> None:
        """A SETTINGS frame passed, with or without a new size."""
        if len(self._offered) >= SETTINGS_LIMIT:
            raise Malformed(f"{SETTINGS_LIMIT} SETTINGS without acknowledgement")
        self._offered.append(size)

    def acknowledged(self) -> None:
        if self._offered and (size := self._offered.popleft()) is not None:
            self._acknowledged = size

    @property
    def allowed(self) -> int:
        return min(max([self._acknowledged, *(size for size in self._offered if size is not None)]), TABLE_LIMIT)


class Unpacker:
    """The HPACK decoder of one direction. Every block goes through it, in order."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=LIST_LIMIT)

    def unpack(self, block: bytes, table: int) -> Block:
        """Raises Malformed, after which no later block can be read."""
        self._decoder.max_allowed_table_size = table
        try:
            fields = self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise Malformed(f"header block: {type(error).__name__}") from None
        return {bytes(name): bytes(value) for name, value in fields}


class Words(NamedTuple):
    """``code`` and ``detail`` of a block, and its tag."""

    code: str
    detail: str
    tag: Tag | None = None


def words(block: Block) -> Words:
    if b":method" in block:
        return Words("", printable(_request(block)), tag_of(block.items()))
    if b"grpc-status" in block:
        return _trailers(block)
    if b":status" in block:
        return Words(printable(decoded(block[b":status"]), 8), printable(_response(block)))
    return Words("", "trailers")


def is_grpc(block: Block) -> bool:
    """Whether DATA carries length-prefixed messages (gRPC over HTTP/2, "Content-Type")."""
    kind = block.get(b"content-type", b"")
    return kind.startswith(b"application/grpc") and kind[16:17] in (b"", b"+", b";")


def _request(block: Block) -> str:
    text = f":method {decoded(block[b':method'])} :path {target(block.get(b':path', b''))}"
    if b"grpc-timeout" in block:
        text += f" grpc-timeout {decoded(block[b'grpc-timeout'])}"
    return text


def _response(block: Block) -> str:
    return f":status {decoded(block[b':status'])} {decoded(block.get(b'content-type', b''))}".rstrip()


def _trailers(block: Block) -> Words:
    code = printable(decoded(block[b"grpc-status"]), 8)
    name = GRPC_STATUS[int(code)] if code.isascii() and code.isdigit() and int(code) < len(GRPC_STATUS) else ""
    text = f"grpc-status {code} {name} {grpc_message(block.get(b'grpc-message', b''))}"
    return Words(code, printable(" ".join(text.split(" ")).rstrip()))
