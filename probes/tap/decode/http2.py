"""HTTP/2 as a bystander reads it (RFC 9113), with gRPC's messages and trailers on top.

DATA is never held. Other frames are read whole up to ``BLOCK_LIMIT`` (``probes.tap.decode.headers``); of GOAWAY's
debug text and of unknown frames the first ``OPAQUE_KEPT`` bytes are. hyperframe parses frames, hpack header
blocks; h2 is not used, because it would take part: a bystander sees frames that a peer must refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hyperframe.exceptions import HyperframeError
from hyperframe.frame import (
    ContinuationFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from probes.events import TO_CLIENT, TO_SERVER, Direction
from probes.tap.decode.duplex import Duplex
from probes.tap.decode.headers import BLOCK_LIMIT, TABLE_LIMIT, Block, TableSizes, Unpacker, is_grpc, words
from probes.tap.decode.input import Input, Malformed, Steps
from probes.tap.decode.items import Items
from probes.tap.decode.streams import CLIENT, SERVER, GrpcMessages, Streams
from probes.tap.decode.text import decoded, printable
from probes.tap.seen import Seen

PROTO = "http/2"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD = 9
OPAQUE_KEPT = 1024

NAMES = {
    0: "DATA",
    1: "HEADERS",
    2: "PRIORITY",
    3: "RST_STREAM",
    4: "SETTINGS",
    5: "PUSH_PROMISE",
    6: "PING",
    7: "GOAWAY",
    8: "WINDOW_UPDATE",
    9: "CONTINUATION",
    10: "ALTSVC",
    12: "ORIGIN",
    16: "PRIORITY_UPDATE",
}
_DATA, _GOAWAY, _CONTINUATION = 0, 7, 9
_END_STREAM, _PADDED = 0x1, 0x8

ERRORS = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)
_SETTINGS = {
    1: "HEADER_TABLE_SIZE",
    2: "ENABLE_PUSH",
    3: "MAX_CONCURRENT_STREAMS",
    4: "INITIAL_WINDOW_SIZE",
    5: "MAX_FRAME_SIZE",
    6: "MAX_HEADER_LIST_SIZE",
    8: "ENABLE_CONNECT_PROTOCOL",
}
_WHOLE = frozenset(range(1, 10)) - {_GOAWAY}
"""Frames that say something only when they are read whole."""


def error_name(code: int) -> str:
    """``CANCEL(8)``: RFC 9113 section 7."""
    return f"{ERRORS[code] if code < len(ERRORS) else 'error'}({code})"


@dataclass(slots=True)
class _Open:
    """A header block that waits for its CONTINUATION frames; ``sizes`` are those of its frames, ``size`` their sum."""

    frame: HeadersFrame | PushPromiseFrame
    block: bytearray
    sizes: list[int]
    size: int


@dataclass(slots=True)
class _Half:
    """One direction: who sends it, its HPACK state, and what this sender allows the other one."""

    sender: int
    direction: Direction
    items: Items
    tables: TableSizes = field(default_factory=TableSizes)
    unpacker: Unpacker = field(default_factory=Unpacker)
    open: _Open | None = None


class Http2:
    """Both directions. ``upgraded``: stream 1 was requested in HTTP/1.1 and the client has ended it."""

    def __init__(self, duplex: Duplex, *, upgraded: bool = False) -> None:
        self._duplex = duplex
        self._streams = Streams()
        self._halves = [_Half(CLIENT, TO_SERVER, Items()), _Half(SERVER, TO_CLIENT, Items())]
        if upgraded:
            self._streams.get(1).ended[CLIENT] = True
        self._handlers: dict[type[Frame], Callable[[_Half, Frame, int], None]] = {
            HeadersFrame: self._headers,
            PushPromiseFrame: self._headers,
            ContinuationFrame: self._continuation,
            RstStreamFrame: self._rst_stream,
            SettingsFrame: self._settings,
        }

    def client(self, source: Input, items: Items) -> Steps[None]:
        if (yield from source.more()):
            if (yield from source.take(len(PREFACE))) != PREFACE:
                raise Malformed("no HTTP/2 connection preface")
            items.seen(Seen(PROTO, "PRI", detail="connection preface", size=len(PREFACE)))
        yield from self._frames(self._halves[CLIENT], source, items)

    def server(self, source: Input, items: Items) -> Steps[None]:
        yield from self._frames(self._halves[SERVER], source, items)

    def _frames(self, half: _Half, source: Input, items: Items) -> Steps[None]:
        half.items = items
        while (yield from source.more()):
            head = yield from source.take(FRAME_HEAD)
            length, kind = int.from_bytes(head[:3], "big"), head[3]
            if half.open and kind != _CONTINUATION:
                raise Malformed("a header block without its end")
            if kind == _DATA:
                yield from self._data(half, source, head, length)
                continue
            if kind in _WHOLE and length > BLOCK_LIMIT:
                raise Malformed(f"{NAMES[kind]} of {length} bytes, more than {BLOCK_LIMIT}")
            body = yield from source.kept(length, length if kind in _WHOLE else OPAQUE_KEPT)
            self._frame(half, _parsed(head, body), FRAME_HEAD + length, kind)

    def _frame(self, half: _Half, frame: Frame, size: int, kind: int) -> None:
        handler = self._handlers.get(type(frame))
        if handler:
            handler(half, frame, size)
            return
        code, detail = _described(frame)
        name = NAMES.get(kind, f"type {kind:#04x}")
        half.items.seen(Seen(PROTO, name, code, printable(detail), frame.stream_id, size))

    # --- DATA ---------------------------------------------------------------------------------------------

    def _data(self, half: _Half, source: Input, head: bytes, length: int) -> Steps[None]:
        number = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
        if not number:
            raise Malformed("DATA on stream 0")
        padding, overhead = 0, FRAME_HEAD
        if head[4] & _PADDED:
            padding = 1 + (yield from source.take(1))[0] if length else 1
            overhead += 1
        payload = length - padding
        if payload < 0:
            raise Malformed("DATA with more padding than bytes")
        half.items.tick(number, overhead)
        messages = self._streams.get(number).messages[half.sender]
        left = payload
        while left:
            count = yield from source.some(left)
            ended = messages.count(source.data, source.position, source.position + count) if messages else 0
            source.skip(count)
            half.items.tick(number, count, count, ended)
            left -= count
        yield from self._padding(half, source, number, padding - 1)
        if payload and not messages:
            half.items.tick(number, 0, 0, 1)
        if head[4] & _END_STREAM:
            self._end_stream(half, number)

    def _padding(self, half: _Half, source: Input, number: int, left: int) -> Steps[None]:
        while left > 0:
            count = yield from source.some(left)
            source.skip(count)
            half.items.tick(number, count)
            left -= count

    # --- header blocks ------------------------------------------------------------------------------------

    def _headers(self, half: _Half, frame: Frame, size: int) -> None:
        assert isinstance(frame, HeadersFrame | PushPromiseFrame)
        half.open = _Open(frame, bytearray(frame.data), [size], size)
        if "END_HEADERS" in frame.flags:
            self._block(half, half.open)

    def _continuation(self, half: _Half, frame: Frame, size: int) -> None:
        assert isinstance(frame, ContinuationFrame)
        whole = half.open
        if not whole or whole.frame.stream_id != frame.stream_id:
            raise Malformed("CONTINUATION of no header block")
        whole.block += frame.data
        whole.sizes.append(size)
        whole.size += size
        if whole.size > BLOCK_LIMIT + FRAME_HEAD:
            raise Malformed(f"a header block of more than {BLOCK_LIMIT} bytes")
        if "END_HEADERS" in frame.flags:
            self._block(half, whole)

    def _block(self, half: _Half, whole: _Open) -> None:
        """All frames of a block are told when it is whole: before, nobody can say what it is."""
        half.open = None
        frame, number = whole.frame, whole.frame.stream_id
        block = half.unpacker.unpack(bytes(whole.block), self._table(half))
        code, detail, tag = words(block)
        if isinstance(frame, PushPromiseFrame):
            # A promised stream is half-closed from the start: its client has nothing to send (RFC 9113 section 5.1).
            self._streams.get(frame.promised_stream_id).ended[CLIENT] = True
            detail = printable(f"stream {frame.promised_stream_id} {detail}")
            half.items.seen(Seen(PROTO, "PUSH_PROMISE", code, detail, number, whole.sizes[0]))
        else:
            self._note_head(half, number, block)
            half.items.seen(Seen(PROTO, "HEADERS", code, detail, number, whole.sizes[0], tag))
        for size in whole.sizes[1:]:
            half.items.seen(Seen(PROTO, "CONTINUATION", stream=number, size=size))
        if "END_STREAM" in frame.flags:
            self._end_stream(half, number)

    def _table(self, half: _Half) -> int:
        other = self._halves[1 - half.sender]
        return TABLE_LIMIT if self._duplex.is_lost(other.direction) else other.tables.allowed

    def _note_head(self, half: _Half, number: int, block: Block) -> None:
        stream = self._streams.get(number)
        if not stream.headed[half.sender] and (b":method" in block or b":status" in block):
            # An interim response (1xx) has no content-type, so the final one still decides.
            stream.headed[half.sender] = not block.get(b":status", b"").startswith(b"1")
            stream.messages[half.sender] = GrpcMessages() if is_grpc(block) else None

    def _end_stream(self, half: _Half, number: int) -> None:
        stream = self._streams.get(number)
        stream.ended[half.sender] = True
        closes = all(stream.ended) and self._streams.close(number)
        half.items.seen(Seen(PROTO, "END_STREAM", stream=number, closes=closes))

    # --- the rest -----------------------------------------------------------------------------------------

    def _rst_stream(self, half: _Half, frame: Frame, size: int) -> None:
        assert isinstance(frame, RstStreamFrame)
        number = frame.stream_id
        closes = self._streams.close(number)
        code = error_name(frame.error_code)
        half.items.seen(Seen(PROTO, "RST_STREAM", code, stream=number, size=size, closes=closes))

    def _settings(self, half: _Half, frame: Frame, size: int) -> None:
        assert isinstance(frame, SettingsFrame)
        if "ACK" in frame.flags:
            self._halves[1 - half.sender].tables.acknowledged()
            half.items.seen(Seen(PROTO, "SETTINGS", detail="ACK", size=size))
            return
        half.tables.offered(frame.settings.get(SettingsFrame.HEADER_TABLE_SIZE))
        named = (f"{_SETTINGS.get(key, f'{key:#06x}')}={value}" for key, value in frame.settings.items())
        half.items.seen(Seen(PROTO, "SETTINGS", detail=printable(" ".join(named)), size=size))


_PARSED = frozenset(
    {
        HeadersFrame,
        PushPromiseFrame,
        ContinuationFrame,
        RstStreamFrame,
        SettingsFrame,
        GoAwayFrame,
        WindowUpdateFrame,
        PingFrame,
    }
)


def _parsed(head: bytes, body: bytes) -> Frame:
    try:
        frame, _ = Frame.parse_frame_header(memoryview(head))
        if type(frame) in _PARSED:
            frame.parse_body(memoryview(body))
    except HyperframeError as error:
        raise Malformed(f"{NAMES.get(head[3], 'frame')}: {type(error).__name__}") from None
    return frame


def _described(frame: Frame) -> tuple[str, str]:
    if isinstance(frame, GoAwayFrame):
        debug = decoded(frame.additional_data)
        return error_name(frame.error_code), f"last stream {frame.last_stream_id & 0x7FFFFFFF} {debug}".rstrip()
    if isinstance(frame, WindowUpdateFrame):
        return "", f"+{frame.window_increment}"
    if isinstance(frame, PingFrame):
        return "", "ACK" if "ACK" in frame.flags else ""
    return "", ""
