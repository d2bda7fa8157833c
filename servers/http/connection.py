"""What HTTP/1.1 and HTTP/2 have in common: an exchange whose handler is really cancelled, and a connection that
hears how its client goes.

A handler is told once, by ``task.cancel()``, and the connection says how it heard:

* ``FIN``: end of file. A half-close counts as gone: a client may close its sending side and still read (RFC 9293,
  3.6), but on the socket that looks like a client that has closed, and the clients under test never half-close.
* ``RST``: the connection was reset.
* ``close_notify``: the end of file over TLS (RFC 8446, 6.1); ``FIN without close_notify`` is a truncation.
* ``RST_STREAM CANCEL(8)``, ``GOAWAY NO_ERROR(0)``: HTTP/2 only (RFC 9113, 6.4 and 6.8).
* ``the server's own FIN`` and the like: a strike (``servers.strikes``).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, cast

from probes.clock import Stamp
from servers.handler import Env, Told
from servers.http.routes import Request
from servers.strikes import Blow, Missed, Strike, Strikes, reset

BODY_HIGH_WATER = 64 << 10
"""Bytes of a request's body that may wait for the handler before the connection stops reading."""
_LINGER_S = 1.0
"""How long a client may go on sending after our FIN: a close with unread bytes would reset the connection, and the
client could lose what we sent it (RFC 9112, 9.6)."""


class Gone(ConnectionError):
    """A write to a client that is gone; the text says how that was told."""


class Exchange(ABC):
    """One request and its response. ``task`` runs the handler."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self._connection, self.request = connection, request
        self.told: Told | None = None
        self.task: asyncio.Task[None] | None = None
        self.head_sent = False
        self.over = False
        """The response is complete, or was broken off: nobody waits for the handler any more."""
        self._body: deque[tuple[bytes, int]] = deque()
        self._body_complete = False
        self._body_news = asyncio.Event()

    def tell(self, how: str, at: Stamp) -> None:
        """The client is gone: cancel the handler, exactly once, unless its response is complete already."""
        if self.over or self.told is not None:
            return
        self.told = Told(how, at)
        if self.task is not None:
            self.task.cancel()

    def strikes(self) -> Strikes:
        """What the server can do to this exchange of its own accord, while its client is there."""
        return {how: self._if_open(strike) for how, strike in self._connection.strikes().items()}

    def resting_strikes(self) -> Strikes:
        """What it can do to the connection once the exchange is over, as long as that is open."""
        return {how: self._connection.if_open(strike) for how, strike in self._connection.strikes().items()}

    def _if_open(self, strike: Strike) -> Strike:
        def guarded(blow: Blow) -> None:
            if self.told is not None or self.over:
                raise Missed("its client is gone already" if self.told else "its response is complete already")
            strike(blow)

        return guarded

    # The request's body ---------------------------------------------------------------------------------

    def feed(self, data: bytes, credit: int) -> None:
        """Bytes of the body came; ``credit`` is what they used up of a flow-control window."""
        self._body.append((data, credit))
        self._body_news.set()

    def feed_eof(self) -> None:
        self._body_complete = True
        self._body_news.set()

    def waiting(self) -> int:
        """Bytes of the body that no handler has taken."""
        return sum(len(data) for data, _ in self._body)

    def forget_body(self) -> int:
        """Drop what waits; returns its credit."""
        credit = sum(credit for _, credit in self._body)
        self._body.clear()
        return credit

    async def read(self) -> bytes | None:
        """The next bytes of the body; None at its end."""
        while not self._body:
            if self._body_complete:
                return None
            self.body_wanted()
            self._body_news.clear()
            await self._body_news.wait()
        data, credit = self._body.popleft()
        self.body_taken(credit)
        return data

    def widen(self, size: int) -> None:
        """Let the client send ``size`` bytes more than its windows allow. HTTP/1.1 has none."""

    def body_wanted(self) -> None:
        """The handler waits for the body."""

    @abstractmethod
    def body_taken(self, credit: int) -> None:
        """The handler took bytes: more may come."""

    # The response ---------------------------------------------------------------------------------------

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the response's head. Raises Gone."""
        await self.ready()
        self.head_sent = True
        self.send_head(status, headers)

    async def write(self, data: bytes) -> None:
        """Hand ``data`` to the transport, as soon as windows and back-pressure allow. Raises Gone."""
        await self.ready()
        # A response to HEAD has the head that a GET would have, and no body (RFC 9110, 9.3.2).
        if self.request.method != "HEAD":
            await self.send_body(data)

    async def end(self) -> None:
        """The response is complete. Raises Gone."""
        await self.ready()
        self.over = True
        self.send_end()

    def give_up(self) -> None:
        """The handler ended and nobody answered: say so by status 500, or break off the body."""
        if self.over or self.told is not None:
            return
        self.over = True
        if self.head_sent:
            self.break_off()
        else:
            self.send_head(500, {"content-length": "0"})
            self.send_end()

    async def ready(self) -> None:
        """Wait until the transport takes more. Raises Gone."""
        await self._connection.writable()
        if self.told is not None:
            raise Gone(self.told.how)

    @abstractmethod
    def send_head(self, status: int, headers: Mapping[str, str]) -> None: ...

    @abstractmethod
    async def send_body(self, data: bytes) -> None: ...

    @abstractmethod
    def send_end(self) -> None: ...

    @abstractmethod
    def break_off(self) -> None:
        """Let the client know, by the protocol's means, that the body will not be completed."""


Serve = Callable[[Exchange], Coroutine[Any, Any, None]]
"""The application: answers one exchange."""


class Connection(asyncio.Protocol, ABC):
    """A client's connection once its protocol is known."""

    def __init__(self, env: Env, serve: Serve, open_ones: set[Connection]) -> None:
        self.env, self._serve, self._open_ones = env, serve, open_ones
        self._transport: asyncio.Transport | None = None
        self.peer = ""
        self._eof, self._lost = "FIN", "the end of the connection"
        self._writable = asyncio.Event()
        self._writable.set()
        self.lingering = False
        """We have sent FIN. What still comes is taken and forgotten."""

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # None when the client has gone already.
        address = transport.get_extra_info("peername")
        self.peer = f"{address[0]}:{address[1]}" if address else "nowhere"
        if (tls := transport.get_extra_info("ssl_object")) is not None:
            self._eof, self._lost = "close_notify", "FIN without close_notify"
            self.peer += f" over {tls.version()}"
        self._open_ones.add(self)

    def eof_received(self) -> bool:
        self.tell_all(self._eof, self.env.sink.clock.now())
        # The transport closes itself: a half-close counts as gone (see above).
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.tell_all(self._lost if error is None else _how(error), self.env.sink.clock.now())
        self._open_ones.discard(self)
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def writable(self) -> None:
        """Return when the transport takes more."""
        await self._writable.wait()

    def start(self, exchange: Exchange) -> None:
        """Start the exchange's handler."""
        name = f"{exchange.request.method} {exchange.request.target}"
        exchange.task = self.env.tasks.start(self._serve(exchange), name=name)

    def hang_up(self) -> None:
        """Send FIN after what is written, and give the client a moment to read it."""
        if not self.transport.can_write_eof():
            # TLS has no half-close: close_notify, then FIN.
            self.transport.close()
            return
        self.lingering = True
        self.transport.resume_reading()
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_S, self.transport.close)

    def strikes(self) -> Strikes:
        """What can be done to a connection in the middle of whatever is under way."""
        return {"fin": self._strike_fin, "rst": self._strike_rst}

    def if_open(self, strike: Strike) -> Strike:
        """The same strike; it misses a connection that is closed."""

        def guarded(blow: Blow) -> None:
            if self.transport.is_closing() or self.lingering:
                raise Missed("its connection is closed already")
            strike(blow)

        return guarded

    def _strike_fin(self, blow: Blow) -> None:
        at = self.env.sink.clock.now()
        how = "write_eof" if self.transport.can_write_eof() else "close"
        self.tell_all("the server's own FIN", at)
        self.hang_up()
        blow.say("server FIN", f"transport.{how}", at)

    def _strike_rst(self, blow: Blow) -> None:
        at = self.env.sink.clock.now()
        self.tell_all("the server's own RST", at)
        reset(self.transport)
        blow.say("server RST", "transport.abort", at)

    def shutdown(self) -> None:
        """The server ends: tell every handler, and close."""
        self.tell_all("the server's shutdown", self.env.sink.clock.now())
        self.transport.close()

    @abstractmethod
    def tell_all(self, how: str, at: Stamp) -> None:
        """Tell the handlers of all open exchanges."""


def _how(error: Exception) -> str:
    if isinstance(error, ConnectionResetError):
        return "RST"
    # EPIPE: a write came after the reset that nobody had read.
    if isinstance(error, BrokenPipeError):
        return "RST (broken pipe)"
    return f"the end of the connection ({error})"
