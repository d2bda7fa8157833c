"""HTTP/1.1 on h11: keep-alive, pipelined requests one after the other, back-pressure both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import h11

from probes.clock import Stamp
from servers.handler import Env
from servers.http.connection import BODY_HIGH_WATER, Connection, Exchange, Serve
from servers.http.routes import Request

PROTOCOL = "http/1.1"


class Http1(Connection):
    def __init__(self, env: Env, serve: Serve, open_ones: set[Connection]) -> None:
        super().__init__(env, serve, open_ones)
        self._h11 = h11.Connection(h11.SERVER)
        self._exchange: Http1Exchange | None = None
        self._reading_paused = False

    # What comes -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.lingering:
            return
        at = self.env.sink.clock.now()
        self._h11.receive_data(data)
        self._take(at)

    def tell_all(self, how: str, at: Stamp) -> None:
        if self._exchange is not None:
            self._exchange.tell(how, at)

    def _take(self, at: Stamp) -> None:
        """Act on what h11 has understood so far."""
        try:
            self._advance()
        except h11.RemoteProtocolError as error:
            self._refuse(error, at)

    def _take_pipelined(self) -> None:
        if not self.transport.is_closing():
            self._take(self.env.sink.clock.now())

    def _advance(self) -> None:
        """Raises h11.RemoteProtocolError."""
        while (event := self._h11.next_event()) is not h11.NEED_DATA:
            if event is h11.PAUSED:
                break
            if isinstance(event, h11.Request):
                self._open(event)
            elif isinstance(event, h11.Data) and self._exchange is not None:
                self._exchange.feed(bytes(event.data), 0)
            elif isinstance(event, h11.EndOfMessage) and self._exchange is not None:
                self._exchange.feed_eof()
            elif isinstance(event, h11.ConnectionClosed):
                break
        self.regulate()

    def regulate(self) -> None:
        """Stop reading while too much waits. While reading is stopped no end of the client is seen, neither FIN nor
        RST: the handler hears of it when it has taken enough for reading to go on."""
        waiting = len(self._h11.trailing_data[0]) if self._h11.their_state is h11.DONE else 0
        if self._exchange is not None:
            waiting += self._exchange.waiting()
        if (waiting > BODY_HIGH_WATER) != self._reading_paused and not self.transport.is_closing():
            self._reading_paused = not self._reading_paused
            if self._reading_paused:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _open(self, event: h11.Request) -> None:
        if not event.http_version.startswith(b"1."):
            # h11 takes any version, and would answer it as 1.1 (RFC 9110, 15.6.6).
            version = event.http_version.decode()
            raise h11.RemoteProtocolError(f"HTTP/{version} does not begin like this", error_status_hint=505)
        request = Request(
            PROTOCOL,
            event.method.decode("latin-1"),
            event.target.decode("latin-1"),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers},
            self.peer,
        )
        self._exchange = Http1Exchange(self, request)
        self.start(self._exchange)

    def _refuse(self, error: h11.RemoteProtocolError, at: Stamp) -> None:
        self.tell_all(f"a violation of HTTP/1.1 ({str(error)[:80]})", at)
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            text = f"{error}\n".encode()
            headers = [("content-type", "text/plain"), ("content-length", str(len(text))), ("connection", "close")]
            self.send(h11.Response(status_code=error.error_status_hint, headers=headers))
            self.send(h11.Data(data=text))
            self.send(h11.EndOfMessage())
        self.hang_up()

    # What goes ------------------------------------------------------------------------------------------

    @property
    def body_is_open(self) -> bool:
        """The client has not sent all of its request."""
        return self._h11.their_state is h11.SEND_BODY

    def ask_for_body(self) -> None:
        """100 Continue, when the client waits for it (RFC 9110, 10.1.1)."""
        if self._h11.they_are_waiting_for_100_continue:
            self.send(h11.InformationalResponse(status_code=100, headers=[]))

    def send(self, event: h11.Event) -> None:
        data = self._h11.send(event)
        if data:
            self.transport.write(data)

    def next_request(self) -> None:
        """The response is complete: keep the connection, or close it."""
        self._exchange = None
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            # Not from here, in the old handler's task: a pipelined request is nothing of its.
            asyncio.get_running_loop().call_soon(self._take_pipelined)
        elif self.body_is_open:
            self.hang_up()
        else:
            self.transport.close()

    def break_off(self) -> None:
        """A body without its end: the client sees that the message is incomplete (RFC 9112, 8)."""
        self._exchange = None
        self.transport.abort()

    def hang_up(self) -> None:
        self._exchange = None
        super().hang_up()


class Http1Exchange(Exchange):
    def __init__(self, connection: Http1, request: Request) -> None:
        super().__init__(connection, request)
        self._http1 = connection

    def body_wanted(self) -> None:
        if not self.head_sent:
            self._http1.ask_for_body()

    def body_taken(self, credit: int) -> None:
        del credit
        self._http1.regulate()

    def send_head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = list(headers.items())
        if self._http1.body_is_open:
            # The rest of the request will not be read, so the connection cannot be used again.
            lines.append(("connection", "close"))
        self._http1.send(h11.Response(status_code=status, headers=lines))

    async def send_body(self, data: bytes) -> None:
        self._http1.send(h11.Data(data=data))

    def send_end(self) -> None:
        self._http1.send(h11.EndOfMessage())
        self._http1.next_request()

    def break_off(self) -> None:
        self._http1.break_off()
