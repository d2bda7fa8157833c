"""The same routes as an ordinary ASGI application: what a framework's server tells its handlers, and what it does not.

Nobody cancels these handlers on their client's behalf. One that does not watch runs to its end, and its sends are
accepted in silence; one that does (``watch=1``) is told by ``http.disconnect``, and so is one that reads the request's
body. Like Starlette's, a watcher cancels the handler's task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from servers.handler import Env, Handler, Told
from servers.http.routes import Refusal, Request, Route, answer, decide
from servers.registry import Who
from servers.request import Asked, read_attribution, read_budget
from servers.strikes import Strikes

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_DISCONNECT = "http.disconnect"
_WATCH = "watch=1"


class Disconnected(Exception):
    """The server said ``http.disconnect`` while the handler read the request's body."""


class AsgiExchange:
    """One request and its response, over ``receive`` and ``send``."""

    def __init__(self, env: Env, receive: Receive, send: Send) -> None:
        self._env, self._receive, self._send = env, receive, send
        self._more = True
        self.over = self.dismissed = False
        self.told: Told | None = None

    async def read(self) -> bytes | None:
        """Raises Disconnected."""
        while self._more:
            message = await self._receive()
            if message["type"] == _DISCONNECT:
                self._tell(_DISCONNECT)
                raise Disconnected
            self._more = message.get("more_body", False)
            if data := message.get("body", b""):
                return bytes(data)
        return None

    def widen(self, size: int) -> None:
        """An application has no say in its server's windows."""

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": lines})

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        self.over = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def watch(self, task: asyncio.Task[Any]) -> None:
        """Cancel ``task`` when the client is gone before the response is complete."""
        while (await self._receive())["type"] != _DISCONNECT:
            pass
        self.dismiss(task, _DISCONNECT)

    def dismiss(self, task: asyncio.Task[Any], why: str) -> None:
        """Cancel the handler's task, once, unless its response is complete."""
        if not self.over and self.told is None:
            self._tell(why)
            self.dismissed = True
            task.cancel()

    def _tell(self, how: str) -> None:
        self.told = Told(how, self._env.sink.clock.now())

    def told_by(self, error: BaseException) -> Told | None:
        """How this exception tells that the client is gone (``servers.handler.ToldBy``)."""
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            cancelled = task is not None and task.cancelling() > 0
            return (self.told or Told("its server's cancel")) if cancelled else None
        return self.told if isinstance(error, Disconnected) else None


class Application:
    """``server``: whose name its handlers carry; ``strikes``: what that server can do to whom its ``send`` reaches."""

    def __init__(self, env: Env, server: str, strikes: Callable[[Send], Strikes]) -> None:
        self._env, self._server, self._strikes = env, server, strikes
        self._handled: dict[AsgiExchange, asyncio.Task[Any]] = {}

    def shutdown(self) -> None:
        """Cancel every handler: the process ends."""
        for exchange, task in self._handled.items():
            exchange.dismiss(task, "the server's shutdown")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            exchange = AsgiExchange(self._env, receive, send)
            await self._answer(self._request(scope), scope, exchange, self._strikes(send))

    def _request(self, scope: Scope) -> Request:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        client = scope.get("client")
        peer = f"{client[0]}:{client[1]}" if client else "nowhere"
        protocol = "http/2" if scope["http_version"] == "2" else "http/1.1"
        return Request(protocol, scope["method"], scope["path"], headers, f"{peer} on {self._server}")

    async def _answer(self, request: Request, scope: Scope, exchange: AsgiExchange, strikes: Strikes) -> None:
        query = scope["query_string"].decode("latin-1").split("&")
        watch = _WATCH in query and request.method == "GET"
        decision = decide(request, request.target, "&".join(part for part in query if not watch or part != _WATCH))
        if isinstance(decision, Refusal):
            await answer(exchange, decision.status, decision.text, decision.headers)
        else:
            await self._handle(request, exchange, *decision, strikes, watch=watch)

    async def _handle(
        self, request: Request, exchange: AsgiExchange, route: Route, asked: Asked, strikes: Strikes, *, watch: bool
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        who = Who(*read_attribution(request.headers), request.protocol, request.peer, _named(request))
        handler = Handler(self._env, who, asked.behaviour, exchange.told_by, lambda: read_budget(request.headers))
        watcher = self._env.tasks.start(exchange.watch(task), name="watch http.disconnect") if watch else None
        self._handled[exchange] = task
        try:
            await handler.run(lambda: route.work(handler, exchange, asked), strikes)
        except Disconnected:
            # The handler's span has told it. Nobody is there to be answered.
            pass
        except asyncio.CancelledError:
            if not exchange.dismissed or task.cancelling() > 1:
                # By the server itself.
                raise
        finally:
            del self._handled[exchange]
            if watcher is not None:
                watcher.cancel()
            if exchange.dismissed:
                task.uncancel()


def _named(request: Request) -> str:
    return f"{request.method} {request.target}"


async def _live(receive: Receive, send: Send) -> None:
    """The lifespan protocol: there is nothing to begin and nothing to end."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
