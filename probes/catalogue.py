"""What can be cancelled, where in its life, and by whom: the tables behind scenarios, panels, coverage and docs.

A *phase* is where a call is when the cancel comes; a *cause* is what cancels it there. ``why_not`` is total: it says
of every pair of a protocol's phase and cause that it is possible (an empty text) or why it is not. Pure data: names
are the clients' and servers' own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

PROTOCOLS = ("grpc", "http/1.1", "http/2", "postgres")

SHAPES = ("unary", "server stream", "client stream", "bidi")
"""Of a gRPC call. The first is no stream; ``LanePlan.shape`` names one."""

_HTTP_PHASES = (
    "DNS",
    "TCP connect",
    "TLS handshake",
    "pool wait",
    "request body",
    "response headers",
    "response body",
    "idle",
)

PHASES: dict[str, tuple[str, ...]] = {
    "grpc": ("connecting", "first response", "mid-stream", "after the last chunk"),
    "http/1.1": _HTTP_PHASES,
    "http/2": _HTTP_PHASES,
    "postgres": (
        "TCP connect",
        "startup",
        "pool acquire",
        "statement executing",
        "rows streaming",
        "cursor",
        "transaction",
        "COPY out",
        "COPY in",
        "LISTEN",
    ),
}
"""By protocol, in the order of a call's life."""

_HTTP_CAUSES = (
    "task.cancel",
    "asyncio.timeout",
    "connect timeout",
    "read timeout",
    "write timeout",
    "pool timeout",
    "client.aclose",
    "server FIN",
    "server RST",
)

CAUSES: dict[str, tuple[str, ...]] = {
    "grpc": (
        "task.cancel",
        "task.cancel elsewhere",
        "call.cancel",
        "asyncio.timeout",
        "deadline",
        "channel.close",
        "server abort",
        "server stop",
        "client killed",
        "server killed",
    ),
    "http/1.1": _HTTP_CAUSES,
    "http/2": _HTTP_CAUSES,
    "postgres": (
        "task.cancel",
        "asyncio.timeout",
        "timeout",
        "command_timeout",
        "terminate",
        "socket cut",
        "statement_timeout",
        "pg_cancel_backend",
        "pg_terminate_backend",
    ),
}
"""By protocol. ``task.cancel elsewhere``: while the task is suspended outside of grpc's awaits."""

TIMERS: dict[str, str] = {
    "asyncio.timeout": "asyncio.timeout",
    "deadline": "deadline",
    "connect timeout": "connect",
    "read timeout": "read",
    "write timeout": "write",
    "pool timeout": "pool",
    "timeout": "timeout",
    "command_timeout": "command_timeout",
    "statement_timeout": "statement_timeout",
}
"""Causes that fire by themselves, each with the timeout of the lane that it needs."""

_HTTP_TIMEOUTS = ("connect", "read", "write", "pool", "asyncio.timeout")

TIMEOUTS: dict[str, tuple[str, ...]] = {
    "grpc": ("deadline", "asyncio.timeout"),
    "http/1.1": _HTTP_TIMEOUTS,
    "http/2": _HTTP_TIMEOUTS,
    "postgres": ("timeout", "command_timeout", "statement_timeout", "asyncio.timeout"),
}
"""The timeouts that can be set, by protocol, in the clients' own names."""

_COVERED_BY: dict[str, tuple[str, ...]] = {
    "connect timeout": ("DNS", "TCP connect", "TLS handshake"),
    "read timeout": ("response headers", "response body"),
    "write timeout": ("request body",),
    "pool timeout": ("pool wait",),
}
"""Which phases each of httpx's timeouts covers."""

_NO_CONNECTION = ("DNS", "TCP connect")
_EXECUTING = ("statement executing", "rows streaming", "transaction", "COPY out", "COPY in")


def why_not(protocol: str, phase: str, cause: str) -> str:
    """Why this cause cannot come in this phase; empty where it can. Raises KeyError for a name that is not there."""
    if phase not in PHASES[protocol]:
        raise KeyError(f"{protocol} has no phase {phase!r}")
    if cause not in CAUSES[protocol]:
        raise KeyError(f"{protocol} has no cause {cause!r}")
    return _RULES[protocol](phase, cause)


def cells() -> Iterator[tuple[str, str, str, str]]:
    """(protocol, phase, cause, why not) of the whole grid, in the tables' order."""
    for protocol in PROTOCOLS:
        for phase in PHASES[protocol]:
            for cause in CAUSES[protocol]:
                yield protocol, phase, cause, why_not(protocol, phase, cause)


def _grpc(phase: str, cause: str) -> str:
    if phase == "connecting" and cause in ("server abort", "server stop", "server killed"):
        return "no server has the call yet"
    return ""


def _http(phase: str, cause: str) -> str:
    if cause in _COVERED_BY and phase not in _COVERED_BY[cause]:
        return f"httpx's {cause} covers {', '.join(_COVERED_BY[cause])} only"
    if phase == "idle" and cause in ("task.cancel", "asyncio.timeout"):
        return "no call is open: there is no task to cancel"
    if phase in _NO_CONNECTION and cause.startswith("server"):
        return "there is no connection that a server could close"
    if phase == "pool wait" and cause.startswith("server"):
        return "the waiting request has no connection; closing another's frees a slot and starts it"
    return ""


_CONNECTING = ("TCP connect", "startup")


def _postgres(phase: str, cause: str) -> str:
    if cause == "command_timeout" and phase in (*_CONNECTING, "pool acquire"):
        return "command_timeout does not cover connecting or waiting for the pool"
    if cause == "statement_timeout" and phase not in _EXECUTING:
        return "no statement executes: the server's timer does not run"
    if cause == "pg_cancel_backend" and phase not in _EXECUTING:
        return "no statement executes: the backend ignores it"
    if phase == "TCP connect" and cause in ("pg_terminate_backend", "terminate", "socket cut"):
        return "there is no connection and no backend yet"
    return _postgres_waiting(phase, cause)


def _postgres_waiting(phase: str, cause: str) -> str:
    if phase == "startup" and cause in ("terminate", "pg_terminate_backend"):
        return "the client has no connection object and knows no backend yet"
    if phase == "pool acquire" and cause in ("terminate", "socket cut", "pg_terminate_backend"):
        return "the waiting task has no connection; ending another's frees a slot"
    if phase in ("LISTEN", "cursor") and cause in ("timeout", "command_timeout"):
        return "the client waits for no command: its timer does not run"
    return ""


_RULES: dict[str, Callable[[str, str], str]] = {
    "grpc": _grpc,
    "http/1.1": _http,
    "http/2": _http,
    "postgres": _postgres,
}
