"""What the HTTP server answers: one table of routes, decided in plain code, carried out by an exchange."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from servers.behaviours import BEHAVIOURS
from servers.handler import Env, Handler, Told
from servers.http.connection import Connection, Exchange, Gone, Request
from servers.http.http1 import Http1
from servers.http.http2 import Http2
from servers.http.sniff import Sniff
from servers.registry import Who
from servers.request import Asked, BadRequest, read_asked, read_attribution
from servers.strikes import Blow

_STREAM_HEAD = {"content-type": "application/octet-stream"}

SlowWork = Callable[[Handler, Exchange, Asked], Coroutine[Any, Any, str]]


async def _stream(handler: Handler, exchange: Exchange, asked: Asked) -> str:
    handler.at("write head")
    await exchange.head(200, _STREAM_HEAD)
    await handler.sleep("sleep before first chunk", asked.delay)
    chunk = b"x" * asked.size
    for number in range(1, asked.chunks + 1):
        handler.at(f"write #{number}")
        await exchange.write(chunk)
        handler.accepted(asked.size)
        await handler.sleep(f"sleep after #{number}", asked.interval)
    await handler.linger(asked.linger)
    handler.at("write end")
    await exchange.end()
    return handler.summary


async def _slow_headers(handler: Handler, exchange: Exchange, asked: Asked) -> str:
    await handler.sleep("sleep before head", asked.delay)
    return await _short_answer(handler, exchange, "at last\n")


async def _upload(handler: Handler, exchange: Exchange, asked: Asked) -> str:
    size = 0
    number = 1
    handler.at("read #1")
    while (data := await exchange.read()) is not None:
        size += len(data)
        await handler.sleep(f"sleep after read #{number}", asked.interval)
        number += 1
        handler.at(f"read #{number}")
    await _short_answer(handler, exchange, f"{size}\n")
    return f"{size} bytes read"


async def _short_answer(handler: Handler, exchange: Exchange, text: str) -> str:
    handler.at("write #1")
    await exchange.answer(200, text)
    handler.accepted(len(text))
    return handler.summary


@dataclass(frozen=True, slots=True)
class Route:
    methods: tuple[str, ...]
    parameters: tuple[str, ...]
    work: SlowWork
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Where they differ from those of ``Asked``."""


ROUTES: dict[str, Route] = {
    "/stream": Route(("GET",), ("delay", "chunks", "size", "interval", "linger", "behaviour"), _stream),
    "/slow-headers": Route(("GET",), ("delay", "behaviour"), _slow_headers),
    "/upload": Route(("POST", "PUT"), ("interval", "behaviour"), _upload, {"interval": "0"}),
}
"""The slow ones. ``/`` says what is here, and ``/handlers`` which handlers run, one line each."""


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    text: str
    headers: Mapping[str, str]


def decide(request: Request, path: str, query: str) -> tuple[Route, Asked] | Refusal:
    """Who serves this request, and with what parameters."""
    route = ROUTES.get(path)
    if route is None:
        return Refusal(404, f"nothing at {path[:80]!r}; {_about()}", {})
    if request.method not in route.methods:
        allowed = ", ".join(route.methods)
        return Refusal(405, f"{path} takes {allowed}, not {request.method[:20]}\n", {"allow": allowed})
    try:
        return route, read_asked(_parameters(query, route))
    except BadRequest as error:
        return Refusal(400, f"{error}\n", {})


def _split(target: str) -> tuple[str, str]:
    """Path and query; the target may be a whole URL (RFC 9112, 3.2.2)."""
    path, _, query = target.partition("?")
    if path.startswith(("http://", "https://")):
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path, query


def _parameters(query: str, route: Route) -> dict[str, str]:
    values = dict(route.defaults)
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in route.parameters:
            raise BadRequest(f"unknown parameter {name[:40]!r}: {', '.join(route.parameters)} are known")
        values[name] = value
    return values


def _about() -> str:
    calls = (
        f"{'|'.join(route.methods)} {path}?{'&'.join(f'{name}=' for name in route.parameters)}"
        for path, route in ROUTES.items()
    )
    return f"here are {', '.join(calls)}, GET /handlers; behaviours: {', '.join(BEHAVIOURS)}\n"


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
        finally:
            exchange.give_up()
            self._serving -= 1
            if not self._serving:
                self._idle.set()

    async def _answer(self, exchange: Exchange) -> None:
        request = exchange.request
        path, query = _split(request.target)
        if path in ("/", "/handlers"):
            await self._inform(exchange, path)
            return
        decision = decide(request, path, query)
        if isinstance(decision, Refusal):
            await exchange.answer(decision.status, decision.text, decision.headers)
            return
        route, asked = decision
        run, lane = read_attribution(request.headers)
        who = Who(run, lane, request.protocol, request.peer, f"{request.method} {path}")
        handler = Handler(self._env, who, asked.behaviour, lambda error: _told_by(error, exchange))
        strikes = {**exchange.strikes(), "stop": self._begin_to_stop}
        await handler.run(lambda: route.work(handler, exchange, asked), strikes)

    async def _inform(self, exchange: Exchange, path: str) -> None:
        if exchange.request.method != "GET":
            await exchange.answer(405, f"{path} takes GET\n", {"allow": "GET"})
        elif path == "/":
            await exchange.answer(200, _about())
        else:
            lines = self._env.registry.lines(self._env.sink.clock.now())
            await exchange.answer(200, "".join(f"{line}\n" for line in lines))

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
