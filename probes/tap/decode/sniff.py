"""Which of the HTTPs is it? Told by the first bytes; at most ``len(PREFACE)`` of them wait for the answer."""

from __future__ import annotations

from probes.tap.decode import tls
from probes.tap.decode.duplex import Duplex
from probes.tap.decode.http1 import Http1
from probes.tap.decode.http2 import FRAME_HEAD, PREFACE, Http2
from probes.tap.decode.input import Input, Malformed, Steps
from probes.tap.decode.items import Items

_TLS_ALERT_BYTE = 0x15
_SETTINGS = 4
_STATUS_START = b"HTTP/1."
_NEEDED = {tls.HANDSHAKE_BYTE: 1, _TLS_ALERT_BYTE: 1, _STATUS_START[0]: len(_STATUS_START)}
"""A server's first byte -> how many bytes tell; else it can only be a frame, whose head tells."""

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~\r\n") | frozenset(range(0x30, 0x3A)) | frozenset(range(0x41, 0x5B))
_METHOD_BYTES = _TOKEN | frozenset(range(0x61, 0x7B))
"""What a request line, or the empty lines allowed before it, can start with (RFC 9110 section 5.6.2)."""


class Sniffer:
    """The first two decoders of a connection, and of the tunnel behind a CONNECT."""

    def __init__(self) -> None:
        self.duplex = Duplex("", self.client, self.server)

    def client(self, source: Input, _items: Items) -> Steps[None]:
        if not (yield from source.more()):
            return
        while PREFACE.startswith(head := source.ahead(len(PREFACE))) and len(head) < len(PREFACE):
            yield from source.wait()
            if self.duplex.proto:
                return
        if head == PREFACE:
            self._http2()
        elif head[0] == tls.HANDSHAKE_BYTE:
            self._tls()
        elif head[0] in _METHOD_BYTES:
            self._http1()
        else:
            raise Malformed("neither HTTP nor TLS")

    def server(self, source: Input, _items: Items) -> Steps[None]:
        """A server may speak first: HTTP/2 SETTINGS do not wait for the client (RFC 9113 section 3.4)."""
        if not (yield from source.more()):
            return
        needed = _NEEDED.get(source.data[source.position], FRAME_HEAD)
        while source.available < needed:
            yield from source.wait()
            if self.duplex.proto:
                return
        head = source.ahead(needed)
        if head[0] in (tls.HANDSHAKE_BYTE, _TLS_ALERT_BYTE):
            self._tls()
        elif head == _STATUS_START:
            self._http1()
        elif len(head) == FRAME_HEAD and head[3] == _SETTINGS and not any(head[5:9]):
            self._http2()
        else:
            raise Malformed("neither HTTP nor TLS")

    def _http1(self) -> None:
        http1 = Http1(self.duplex, self._tunnel)
        self.duplex.become("http/1.1", http1.client, http1.server)

    def _http2(self) -> None:
        http2 = Http2(self.duplex)
        self.duplex.become("http/2", http2.client, http2.server)

    def _tls(self) -> None:
        self.duplex.become(tls.PROTO, tls.records, tls.records)

    def _tunnel(self) -> None:
        self.duplex.become("", self.client, self.server)
