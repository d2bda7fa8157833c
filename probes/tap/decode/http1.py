"""HTTP/1.1 as a bystander reads it (RFC 9112): heads are read whole, bodies are only measured.

Held at most: one head of ``HEAD_LIMIT`` bytes a direction, ``PIPELINE_LIMIT`` requests without an answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from probes.events import TO_SERVER
from probes.tap.decode.duplex import Duplex
from probes.tap.decode.fields import (
    Field,
    Framing,
    chunk_size,
    request_framing,
    request_head,
    response_framing,
    response_head,
    upgrade_of,
)
from probes.tap.decode.http2 import Http2
from probes.tap.decode.input import Cut, Input, Malformed, Steps
from probes.tap.decode.items import Items
from probes.tap.decode.text import decoded, printable, tag_of, target
from probes.tap.seen import Seen

PROTO = "http/1.1"
HEAD_LIMIT = 64 << 10
PIPELINE_LIMIT = 1024
_CHUNK_LINE_LIMIT = 4096


@dataclass(slots=True)
class _Exchange:
    method: bytes
    sent: bool = False
    answered: bool = False

    @property
    def over(self) -> bool:
        return self.sent and self.answered


class Http1:
    """Both directions: what a response's body is depends on the request (RFC 9112 section 6.3).

    ``tunnel`` is called when a CONNECT succeeded; it has ``duplex`` read on from there.
    """

    def __init__(self, duplex: Duplex, tunnel: Callable[[], None]) -> None:
        self._duplex = duplex
        self._tunnel = tunnel
        self._waiting: deque[_Exchange] = deque()

    def client(self, source: Input, items: Items) -> Steps[None]:
        while (yield from _next_head(source, items)):
            head = yield from source.head(HEAD_LIMIT)
            line, fields = request_head(head)
            framing = request_framing(fields)
            exchange = _Exchange(line.method)
            self._expect(exchange)
            detail = printable(f"{decoded(line.method)} {target(line.target)}")
            items.seen(Seen(PROTO, "request", detail=detail, size=len(head), tag=tag_of(fields)))
            yield from _body(source, items, framing)
            exchange.sent = True
            items.seen(Seen(PROTO, "end", closes=exchange.over))

    def server(self, source: Input, items: Items) -> Steps[None]:
        while (yield from _next_head(source, items)):
            head = yield from source.head(HEAD_LIMIT)
            exchange = self._answered()
            line, fields = response_head(head)
            framing = response_framing(exchange.method, line.status, fields)
            words = [decoded(line.reason), str(framing) if line.status >= 200 else ""]
            detail = printable(", ".join(filter(None, words)))
            items.seen(Seen(PROTO, "response", code=str(line.status), detail=detail, size=len(head)))
            if self._turns(exchange, line.status, fields):
                return
            if line.status >= 200:
                yield from _body(source, items, framing)
                self._over(exchange)
                items.seen(Seen(PROTO, "end", closes=exchange.over))

    def _expect(self, exchange: _Exchange) -> None:
        if len(self._waiting) >= PIPELINE_LIMIT:
            raise Malformed(f"{PIPELINE_LIMIT} requests without an answer")
        self._waiting.append(exchange)

    def _answered(self) -> _Exchange:
        """The exchange that a response belongs to; one that nobody asked for (408) has a request of its own."""
        if self._waiting:
            return self._waiting[0]
        if self._duplex.is_lost(TO_SERVER):
            raise Malformed("a response to a request that was not followed")
        return _Exchange(b"", sent=True)

    def _over(self, exchange: _Exchange) -> None:
        exchange.answered = True
        if self._waiting and self._waiting[0] is exchange:
            self._waiting.popleft()

    def _turns(self, exchange: _Exchange, status: int, fields: list[Field]) -> bool:
        """Whether what follows is another protocol (RFC 9110 sections 7.8 and 9.3.6)."""
        if exchange.method == b"CONNECT" and 200 <= status < 300:
            self._tunnel()
        elif status == 101 and upgrade_of(fields) == "h2c" and exchange.sent:
            http2 = Http2(self._duplex, upgraded=True)
            self._duplex.become("http/2", http2.client, http2.server)
        elif status == 101:
            self._duplex.give_up(f"upgraded to {upgrade_of(fields) or 'nothing'}, which is not followed")
        else:
            return False
        return True


def _next_head(source: Input, items: Items) -> Steps[bool]:
    """Past the empty lines that may stand before a head (RFC 9112 section 2.2); False at the end of the file."""
    while (yield from source.more()):
        if source.data[source.position] not in b"\r\n":
            return True
        source.skip(1)
        items.tick(0, 1)
    return False


def _body(source: Input, items: Items, framing: Framing) -> Steps[None]:
    try:
        yield from _measured(source, items, framing)
    except Cut:
        raise Cut(f"end of file inside a body ({framing})") from None


def _measured(source: Input, items: Items, framing: Framing) -> Steps[None]:
    if framing.kind == "length":
        yield from _payload(source, items, framing.length)
    elif framing.kind == "chunked":
        yield from _chunks(source, items)
    elif framing.kind == "close":
        while (yield from source.more()):
            yield from _payload(source, items, source.available)


def _payload(source: Input, items: Items, length: int) -> Steps[None]:
    left = length
    while left:
        count = yield from source.some(left)
        source.skip(count)
        items.tick(0, count, count)
        left -= count


def _chunks(source: Input, items: Items) -> Steps[None]:
    """RFC 9112 section 7.1. A chunk counts when its payload is whole."""
    while True:
        line = yield from source.line(_CHUNK_LINE_LIMIT)
        items.tick(0, len(line))
        length = chunk_size(line)
        if not length:
            break
        yield from _payload(source, items, length)
        items.tick(0, 0, 0, 1)
        if (yield from source.take(2)) != b"\r\n":
            raise Malformed("a chunk longer than its size")
        items.tick(0, 2)
    trailers = 0
    while line not in (b"\r\n", b"\n"):
        line = yield from source.line(HEAD_LIMIT)
        items.tick(0, len(line))
        trailers += len(line)
        if trailers > HEAD_LIMIT:
            raise Malformed(f"trailers of more than {HEAD_LIMIT} bytes")
