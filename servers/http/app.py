"""The HTTP server of our own: no framework between socket and handler, and a handler that is really cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from servers.handler import Env, Handler, Told
from servers.hops import HopTimeout
from servers.http.connection import Connection, Exchange, Gone
from servers.http.http1 import Http1
from servers.http.http2 import Http2
from servers.http.routes import Refusal, about, answer, decide, split
from servers.http.sniff import Sniff
from servers.registry import Who
from servers.request import read_attribution, read_budget
from servers.strikes import Blow


class HttpServer:
    """HTTP/1.1 and HTTP/2 on one port, and on another one over TLS."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._connections: set[Connection] = set()
        self._undecided: set[Sniff] = set()
        self._servers: list[asyncio.Server] = []
        self._serving = 0
        self._idle = asyncio.Event()

    async def start(self, host: str, tls: ssl.SSLContext | None = None) -> int:
        """Listen on ``host``, with ``tls`` over TLS; the port."""
        server = await asyncio.get_running_loop().create_server(self._accept, host, 0, ssl=tls)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """Take no more connections, tell every handler, and close. Does not wait for handlers."""
        self._close()
        for undecided in list(self._undecided):
            undecided.shutdown()
        for connection in list(self._connections):
            connection.shutdown()

    def _close(self) -> None:
        for server in self._servers:
            server.close()

    def _begin_to_stop(self, blow: Blow) -> None:
        at = self._env.sink.clock.now()
        self._close()
        self._env.tasks.start(self._stop_after(blow.grace or 0), name="http stop")
        blow.say("server stop", f"server.close, grace {blow.grace}", at)

    async def _stop_after(self, grace: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._idle.wait()
        self.stop()

    async def serve(self, exchange: Exchange) -> None:
        """Answer one exchange. Whatever happens, its client does not wait for ever."""
        self._serving += 1
        self._idle.clear()
        try:
            await self._answer(exchange)
        except Gone:
            # The handler's span has told it. Nobody is there to be answered.
            pass
        except HopTimeout as error:
            await answer(exchange, 504, f"{error}\n")
        finally:
            exchange.give_up()
            self._serving -= 1
            if not self._serving:
                self._idle.set()

    async def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        path, query = split(request.target)
        if path in ("/", "/handlers"):
            await self._inform(exchange, path)
            return
        decision = decide(request, path, query)
        if isinstance(decision, Refusal):
            await answer(exchange, decision.status, decision.text, decision.headers)
            return
        route, asked = decision
        run, lane = read_attribution(request.headers)
        who = Who(run, lane, request.protocol, request.peer, f"{request.method} {path}")
        handler = Handler(
            self._env,
            who,
            asked.behaviour,
            lambda error: _told_by(error, exchange),
            lambda: read_budget(request.headers),
        )
        strikes = {**exchange.strikes(), "stop": self._begin_to_stop}
        await handler.run(lambda: route.work(handler, exchange, asked), strikes)
        self._env.registry.rest(who, exchange.resting_strikes(), self._env.sink.clock.now())

    async def _inform(self, exchange: Exchange, path: str) -> None:
        if exchange.request.method != "GET":
            await answer(exchange, 405, f"{path} takes GET\n", {"allow": "GET"})
        elif path == "/":
            await answer(exchange, 200, about())
        else:
            lines = self._env.registry.lines(self._env.sink.clock.now())
            await answer(exchange, 200, "".join(f"{line}\n" for line in lines))

    def _accept(self) -> Sniff:
        return Sniff(
            lambda: Http1(self._env, self.serve, self._connections),
            lambda: Http2(self._env, self.serve, self._connections),
            self._undecided,
        )


def _told_by(error: BaseException, exchange: Exchange) -> Told | None:
    if isinstance(error, Gone) and exchange.told is not None:
        # The connection heard of it earlier; the handler, only now.
        return Told(exchange.told.how)
    return exchange.told if isinstance(error, asyncio.CancelledError) else None
