"""What the HTTP servers answer: one table of routes, decided in plain code, carried out by whoever speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

from servers.behaviours import BEHAVIOURS
from servers.handler import Handler, linger
from servers.request import Asked, BadRequest, read_asked


@dataclass(frozen=True, slots=True)
class Request:
    """``headers`` have lower-case names; of a repeated one the last counts."""

    protocol: str
    method: str
    target: str
    headers: Mapping[str, str]
    peer: str


class Exchange(Protocol):
    """One request's body, and the response to it. Everything raises when the client is known to be gone."""

    async def read(self) -> bytes | None:
        """The next bytes of the body; None at its end."""

    def widen(self, size: int) -> None:
        """Let the client send ``size`` bytes more than HTTP/2's windows allow, where that can be said."""

    async def head(self, status: int, headers: Mapping[str, str]) -> None: ...

    async def write(self, data: bytes) -> None: ...

    async def end(self) -> None: ...


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
    await linger(handler, asked.linger)
    handler.at("write end")
    await exchange.end()
    return handler.summary


async def _slow_headers(handler: Handler, exchange: Exchange, asked: Asked) -> str:
    await handler.answer_time("sleep before head", asked.delay)
    return await _short_answer(handler, exchange, "at last\n")


async def _upload(handler: Handler, exchange: Exchange, asked: Asked) -> str:
    size = 0
    number = 1
    exchange.widen(asked.window)
    handler.at("read #1")
    while (data := await exchange.read()) is not None:
        size += len(data)
        handler.taken(size // asked.size, asked.size)
        await handler.sleep(f"sleep after read #{number}", asked.interval)
        number += 1
        handler.at(f"read #{number}")
    await _short_answer(handler, exchange, f"{size}\n")
    return f"{size} bytes read"


async def answer(exchange: Exchange, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
    """A whole response of one text."""
    data = text.encode()
    about = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(data)), **(headers or {})}
    await exchange.head(status, about)
    await exchange.write(data)
    await exchange.end()


async def _short_answer(handler: Handler, exchange: Exchange, text: str) -> str:
    handler.at("write #1")
    await answer(exchange, 200, text)
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
    "/upload": Route(("POST", "PUT"), ("size", "window", "interval", "behaviour"), _upload, {"interval": "0"}),
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
        return Refusal(404, f"nothing at {path[:80]!r}; {about()}", {})
    if request.method not in route.methods:
        allowed = ", ".join(route.methods)
        return Refusal(405, f"{path} takes {allowed}, not {request.method[:20]}\n", {"allow": allowed})
    try:
        return route, read_asked(_parameters(query, route))
    except BadRequest as error:
        return Refusal(400, f"{error}\n", {})


def split(target: str) -> tuple[str, str]:
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


def about() -> str:
    calls = (
        f"{'|'.join(route.methods)} {path}?{'&'.join(f'{name}=' for name in route.parameters)}"
        for path, route in ROUTES.items()
    )
    return f"here are {', '.join(calls)}, GET /handlers; behaviours: {', '.join(BEHAVIOURS)}\n"
