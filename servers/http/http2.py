"""HTTP/2 on h2 (RFC 9113): many streams, their windows and the transport's back-pressure honoured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from probes.clock import Stamp
from servers.handler import Env
from servers.http.connection import Connection, Exchange, Serve
from servers.http.routes import Request
from servers.strikes import Blow, Strikes

PROTOCOL = "http/2"


class Http2(Connection):
    def __init__(self, env: Env, serve: Serve, open_ones: set[Connection]) -> None:
        super().__init__(env, serve, open_ones)
        # Bytes: h2 would raise on a header that is no UTF-8.
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._exchanges: dict[int, Http2Exchange] = {}
        self._windows_grew = asyncio.Event()
        self._take: dict[type[Any], Callable[[Any, Stamp], None]] = {
            RequestReceived: self._request,
            DataReceived: self._data,
            StreamEnded: self._stream_ended,
            StreamReset: self._stream_reset,
            ConnectionTerminated: self._goaway,
            WindowUpdated: self._window,
            # SETTINGS_INITIAL_WINDOW_SIZE changes the windows of all open streams (RFC 9113, 6.9.2).
            RemoteSettingsChanged: self._window,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._h2.initiate_connection()
        self.flush()

    # What comes -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.lingering:
            return
        at = self.env.sink.clock.now()
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as error:
            # h2 has a GOAWAY with the error's code ready (RFC 9113, 5.4.1).
            self.tell_all(f"a violation of HTTP/2 ({type(error).__name__}: {str(error)[:80]})", at)
            self.flush()
            self.transport.close()
            return
        for event in events:
            if (take := self._take.get(type(event))) is not None:
                take(event, at)
        self.flush()

    def tell_all(self, how: str, at: Stamp) -> None:
        for exchange in list(self._exchanges.values()):
            exchange.tell(how, at)
        self._exchanges.clear()

    def shutdown(self) -> None:
        self.tell_all("the server's shutdown", self.env.sink.clock.now())
        self._h2.close_connection()
        self.flush()
        self.transport.close()

    def strikes(self) -> Strikes:
        return {**super().strikes(), "goaway": self._strike_goaway}

    def _strike_goaway(self, blow: Blow) -> None:
        at = self.env.sink.clock.now()
        self.tell_all("the server's own GOAWAY NO_ERROR(0)", at)
        self._h2.close_connection()
        self.flush()
        self.hang_up()
        blow.say("server GOAWAY", "close_connection NO_ERROR", at)

    def _request(self, event: RequestReceived, at: Stamp) -> None:
        del at
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers or ()}
        request = Request(PROTOCOL, headers.get(":method", ""), headers.get(":path", ""), headers, self.peer)
        assert event.stream_id is not None
        exchange = Http2Exchange(self, self._h2, event.stream_id, request)
        self._exchanges[event.stream_id] = exchange
        self.start(exchange)

    def _data(self, event: DataReceived, at: Stamp) -> None:
        del at
        assert event.stream_id is not None
        credit = event.flow_controlled_length or 0
        exchange = self._exchanges.get(event.stream_id)
        if exchange is None:
            # Nobody will read it: give the connection's window back, or other streams starve.
            self.credit(event.stream_id, credit)
        else:
            exchange.feed(event.data or b"", credit)

    def _stream_ended(self, event: StreamEnded, at: Stamp) -> None:
        del at
        if (exchange := self._exchanges.get(event.stream_id or 0)) is not None:
            exchange.feed_eof()

    def _stream_reset(self, event: StreamReset, at: Stamp) -> None:
        exchange = self._exchanges.pop(event.stream_id or 0, None)
        if exchange is not None:
            by = "" if event.remote_reset else " by the server's h2"
            exchange.tell(f"RST_STREAM {_code(event.error_code)}{by}", at)
            self.credit(exchange.stream_id, exchange.forget_body())

    def _goaway(self, event: ConnectionTerminated, at: Stamp) -> None:
        # RFC 9113, 6.8 lets open streams end in peace, but h2 refuses to send anything more from here on.
        self.tell_all(f"GOAWAY {_code(event.error_code)}", at)
        self.transport.close()

    def _window(self, event: WindowUpdated | RemoteSettingsChanged, at: Stamp) -> None:
        del event, at
        self._windows_grew.set()
        self._windows_grew = asyncio.Event()

    # What goes ------------------------------------------------------------------------------------------

    async def window_growth(self) -> None:
        """Return when some window has grown."""
        await self._windows_grew.wait()

    def credit(self, stream_id: int, size: int) -> None:
        """Give ``size`` bytes of the windows back to the client."""
        if size:
            self._h2.acknowledge_received_data(size, stream_id)

    def closed(self, exchange: Http2Exchange) -> None:
        """The stream is over for us."""
        self._exchanges.pop(exchange.stream_id, None)
        self.credit(exchange.stream_id, exchange.forget_body())
        self.flush()

    def flush(self) -> None:
        """Write what h2 has ready."""
        data = self._h2.data_to_send()
        if data and not self.lingering and not self.transport.is_closing():
            self.transport.write(data)


class Http2Exchange(Exchange):
    """One stream."""

    def __init__(self, connection: Http2, h2: H2Connection, stream_id: int, request: Request) -> None:
        super().__init__(connection, request)
        self._http2, self._h2, self.stream_id = connection, h2, stream_id

    def strikes(self) -> Strikes:
        return {**super().strikes(), "rst_stream": self._if_open(self._strike_rst_stream)}

    def _strike_rst_stream(self, blow: Blow) -> None:
        at = self._http2.env.sink.clock.now()
        self._h2.reset_stream(self.stream_id, ErrorCodes.CANCEL)
        self.tell("the server's own RST_STREAM CANCEL(8)", at)
        self._http2.closed(self)
        blow.say("server RST_STREAM", "reset_stream CANCEL(8)", at)

    def widen(self, size: int) -> None:
        if size:
            self._h2.increment_flow_control_window(size)
            self._h2.increment_flow_control_window(size, self.stream_id)
            self._http2.flush()

    def body_taken(self, credit: int) -> None:
        if self.told is None:
            self._http2.credit(self.stream_id, credit)
            self._http2.flush()

    def send_head(self, status: int, headers: Mapping[str, str]) -> None:
        self._h2.send_headers(self.stream_id, [(":status", str(status)), *headers.items()])
        self._http2.flush()

    async def send_body(self, data: bytes) -> None:
        while data:
            room = min(self._h2.local_flow_control_window(self.stream_id), self._h2.max_outbound_frame_size)
            if room > 0:
                self._h2.send_data(self.stream_id, data[:room])
                data = data[room:]
                self._http2.flush()
            else:
                await self._http2.window_growth()
            if data:
                await self.ready()

    def send_end(self) -> None:
        self._h2.end_stream(self.stream_id)
        if not self._body_complete:
            # The response is complete and the rest of the request is not wanted (RFC 9113, 8.1).
            self._h2.reset_stream(self.stream_id, ErrorCodes.NO_ERROR)
        self._http2.closed(self)

    def break_off(self) -> None:
        self._h2.reset_stream(self.stream_id, ErrorCodes.INTERNAL_ERROR)
        self._http2.closed(self)


def _code(code: ErrorCodes | int | None) -> str:
    """``CANCEL(8)``."""
    number = int(code or 0)
    try:
        return f"{ErrorCodes(number).name}({number})"
    except ValueError:
        return f"unknown code {number}"
