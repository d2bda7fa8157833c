"""Which HTTP a new connection speaks: over TLS the one that ALPN chose (RFC 7301); otherwise HTTP/2 by prior knowledge
begins with a preface (RFC 9113, 3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from servers.http.connection import Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Sniff(asyncio.Protocol):
    """Reads until the preface is whole or impossible, then hands the transport over."""

    def __init__(self, http1: Callable[[], Connection], http2: Callable[[], Connection], undecided: set[Sniff]) -> None:
        self._http1, self._http2, self._undecided = http1, http2, undecided
        self._transport: asyncio.BaseTransport | None = None
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._undecided.add(self)
        tls = transport.get_extra_info("ssl_object")
        chosen = None if tls is None else tls.selected_alpn_protocol()
        if chosen is not None:
            self._hand_over(self._http2() if chosen == "h2" else self._http1())

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if self._seen.startswith(PREFACE):
            self._hand_over(self._http2())
        elif not PREFACE.startswith(self._seen):
            self._hand_over(self._http1())

    def connection_lost(self, error: Exception | None) -> None:
        self._undecided.discard(self)

    def shutdown(self) -> None:
        assert self._transport is not None
        self._transport.close()

    def _hand_over(self, connection: Connection) -> None:
        assert self._transport is not None
        self._undecided.discard(self)
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        if self._seen:
            connection.data_received(self._seen)
