"""What can be cancelled, where in its life, and by whom: the tables behind scenarios, panels, coverage and docs.

A *phase* is where a call is when the cancel comes; a *cause* is what cancels it there. ``why_not`` is total: it says
of every pair of a protocol's phase and cause that it is possible (an empty text) or why it is not. Pure data: names
are the clients' and servers' own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from probes.events import LanePlan

PROTOCOLS = ("grpc", "http/1.1", "http/2", "postgres")

SHAPES = ("unary", "server stream", "client stream", "bidi")
"""Of a gRPC call. The first is no stream; ``LanePlan.shape`` names one."""

IDLE = "idle"
"""The one phase in which no call is open."""

CLOSE_CONNECTION = "connection.close"
"""The cause by which somebody closes asyncpg's connection in good order: it asks for the cancel of what executes, and
waits for the answer for its ``close`` timeout."""

BREAK = "break"
"""The cause by which a caller leaves its loop over the chunks, and cancels nobody."""

_HTTP_PHASES = (
    "DNS",
    "TCP connect",
    "TLS handshake",
    "pool wait",
    "request body",
    "response headers",
    "response body",
    IDLE,
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
        BREAK,
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
        CLOSE_CONNECTION,
        "terminate",
        "socket cut",
        "statement_timeout",
        "pg_cancel_backend",
        "pg_terminate_backend",
    ),
}
"""By protocol. ``task.cancel elsewhere``: while the task is suspended outside of grpc's awaits. ``break``: the caller
leaves its ``async for`` over the chunks. Neither ends the call."""

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

BOUNDS: dict[str, str] = {CLOSE_CONNECTION: "close"}
"""Causes that somebody else brings about, each with the timeout that bounds it, where that is set."""

_HTTP_TIMEOUTS = ("connect", "read", "write", "pool", "asyncio.timeout")

TIMEOUTS: dict[str, tuple[str, ...]] = {
    "grpc": ("deadline", "asyncio.timeout"),
    "http/1.1": _HTTP_TIMEOUTS,
    "http/2": _HTTP_TIMEOUTS,
    "postgres": ("timeout", "command_timeout", "statement_timeout", "close", "asyncio.timeout"),
}
"""The timeouts that can be set, by protocol, in the clients' own names. ``close``: of asyncpg's
``Connection.close(timeout=)``, which somebody has to call first: the cause "connection.close"."""

LASTING: tuple[str, ...] = (
    "first response",
    "after the last chunk",
    "DNS",
    "response headers",
    "statement executing",
    "cursor",
    "transaction",
)
"""Phases that last as long as the lane's ``delay``, unless a fault holds the call in them."""

BEHAVIOURS: dict[str, str] = {
    "cooperative": "hears of a cancel at its await and leaves at once",
    "slow-cleanup": "leaves at once and takes its time to tidy up",
    "swallow": "ignores one cancel and works on",
    "blocking": "blocks its loop between two chunks and cannot be told there",
    "executor": "works in a thread that runs on",
    "shielded": "works behind a shield: it is told, and the work goes on",
    "asks-context": "gRPC: goes on after a cancel that context.cancelled() denies",
    "writes-only": "looks at nothing and notices only that a write fails",
}
"""Of a server's handler, each with a line of help; an argument follows a colon and is checked by the server."""

MIDDLEWARE: dict[str, tuple[str, str]] = {
    "pass": ("", "hands everything on as it is"),
    "shield": ("", "asyncio.shield: the caller is cancelled, the call is not"),
    "swallow": ("", "catches the cancel and returns something else"),
    "add-timeout": ("a time", "a timeout of its own around the call, like add-timeout:250ms"),
    "drop-deadline": ("", "makes the call without the caller's deadline"),
    "independent": ("", "makes the call in a task of its own that nobody cancels"),
}
"""Links between caller and client: what each takes after a colon, and a line of help."""

EFFECTS = ("passed", "weakened", "died", "grew")
"""What a link can do to a cancel or a deadline that comes through it."""

FAULTS: dict[str, str] = {
    "freeze": "nothing is read any more: the kernel's buffers fill up",
    "black-hole": "everything is read and thrown away",
    "slow": "read slowly, at rate bytes a second",
    "hold": "what comes is kept and passed on at the end",
    "delay-cancel": "each CancelRequest is held for seconds",
    "lose-cancel": "no CancelRequest gets through",
    "cut": "the connection is ended, by FIN or RST",
}
"""What the tap can do to a lane's connections, each with a line of help."""


class Option(NamedTuple):
    """What one option takes (``bool``, ``int``, ``float`` for any number, ``str``, one of some words), and its help."""

    takes: type[bool] | type[int] | type[float] | type[str] | tuple[str, ...]
    help: str


_ALL_OPTIONS: dict[str, Option] = {
    "edge": Option(("asyncio", "anyio"), "whose cancel scope the caller's task runs in"),
    "second_cancel": Option(bool, "a second task.cancel() while the first is being cleaned up"),
}

_HOP_OPTIONS: dict[str, Option] = {
    "called_by": Option(str, "a hop: the lane whose handler makes this call, not the lab"),
    "budget": Option(("passed", "not passed", "margin"), "of a hop: what is handed on of its caller's deadline"),
    "margin": Option(float, "of a hop: seconds that the one before it keeps for explaining a failure"),
}

CANCEL_POINTS: tuple[str, ...] = (
    "connect_tcp.complete",
    "start_tls.complete",
    "send_connection_init.complete",
    "send_request_headers.complete",
    "receive_response_headers.complete",
    "receive_response_body.complete",
    "response_closed.started",
    "holder closed",
)
"""Of the HTTP option ``cancel_at``: events of httpcore's trace extension, and the moment at which the pool has just
given the waiting call a connection because its holder's was closed."""

_HTTP_OPTIONS: dict[str, Option] = {
    "server": Option(("http", "hypercorn"), "which server answers"),
    "client": Option(("httpx", "httpx2"), "which client asks"),
    "reset": Option(bool, "HTTP/2: the patched client that sends RST_STREAM when it is cancelled"),
    "linger": Option(bool, "SO_LINGER with 0 seconds on the client's socket: closing it sends RST"),
    "watch": Option(bool, "the handler watches for the client's going"),
    "pool_size": Option(int, "connections in the client's pool"),
    "upload": Option(("stalled", "window", "paced"), "why the upload waits: TCP, HTTP/2's window, the caller"),
    "resolver_threads": Option(int, "threads that look names up"),
    "cancel_at": Option(CANCEL_POINTS, "cancel by itself, right after this step of httpcore's"),
    "ticks": Option(int, "turns of the loop between cancel_at and the cancel"),
    "abandoned": Option(int, "requests that the client has cancelled before the call"),
    "sibling": Option(("before", "after"), "a request beside the call on the client, begun before or after it"),
    "sibling_delay": Option(float, "seconds that the sibling waits for its response; 0: it streams"),
    "follow_up": Option(int, "requests that come after the call on the same client"),
    "follow_up_timeout": Option(float, "seconds that each of them may take for each step"),
}

OPTIONS: dict[str, dict[str, Option]] = {
    "grpc": {
        "wait_for_ready": Option(bool, "the call waits for a connection and does not fail at once"),
        "target": Option(("tap", "dead", "stalled", "black-hole"), "what the channel connects to"),
        "grace": Option(float, "seconds that server stop or channel.close gives to open calls"),
        "window": Option(("small", "default"), "how far ahead the server may send; by default MiBs"),
        "keep_call": Option(bool, "the caller keeps its Call object until the teardown"),
        "pause": Option(bool, "the caller reads and writes no more when it is in its phase"),
        "abort": Option(("status", "CancelledError"), "server abort: context.abort, or a CancelledError of its own"),
    }
    | _ALL_OPTIONS,
    "http/1.1": _HTTP_OPTIONS | _HOP_OPTIONS | _ALL_OPTIONS,
    "http/2": _HTTP_OPTIONS | _ALL_OPTIONS,
    "postgres": {
        "check_interval": Option(float, "client_connection_check_interval in ms; 0 is off"),
        "pool_size": Option(int, "connections in the client's pool"),
        "statement": Option(("sleep", "insert", "executemany"), "what executes; an insert takes the lane's delay"),
        "fetch": Option(("cursor", "all"), "rows are read one by one, or all at once when the last has come"),
        "columns": Option(int, "columns of size bytes that a row has"),
        "acquire_timeout": Option(float, "seconds of acquire(timeout=), which bounds the release as well"),
        "follow_up": Option(int, "statements that come after the call on the same pool"),
    }
    | _HOP_OPTIONS
    | _ALL_OPTIONS,
}
"""What only some protocols have, by protocol and name."""

BY_THEMSELVES = frozenset({"called_by", "cancel_at"})
"""Options of a lane whose end needs nobody's key: its caller's brings it, or a step of its own client's."""

OTHERS: dict[str, str] = {
    "holder": "has the pool's only connection while the call waits for it",
    "sibling": "goes beside the call on the same client",
    "abandoned": "was cancelled before the call while it waited for its response",
    "follow-up": "comes after the call on the same client",
    "close": "connection.close() beside the call, on its connection",
}
"""The other requests that a lane's client makes, by their role, each with a line of help."""

_COVERED_BY: dict[str, tuple[str, ...]] = {
    "connect timeout": ("DNS", "TCP connect", "TLS handshake"),
    "read timeout": ("response headers", "response body"),
    "write timeout": ("request body",),
    "pool timeout": ("pool wait",),
}
"""Which phases each of httpx's timeouts covers."""
_COVERED_BY_HTTP2 = {**_COVERED_BY, "read timeout": ("request body", "response headers", "response body")}
"""A request's body that waits for the peer's window waits in a read (RFC 9113, 5.2; httpcore 1.0, measured)."""

_UPLOADS = ("request body", "COPY in")


def uploads(plan: LanePlan) -> bool:
    """Whether what is cancelled is the client's sending: chunks are then counted from client to server."""
    return plan.phase in _UPLOADS


def ends_its_server(plan: LanePlan) -> bool:
    """Whether the plan's cause ends a gRPC server, with all calls of all lanes that it has: it gets one to itself."""
    return plan.protocol == "grpc" and plan.cause in ("server stop", "server killed")


_NO_CONNECTION = ("DNS", "TCP connect")
_EXECUTING = ("statement executing", "rows streaming", "transaction", "COPY out", "COPY in")


def why_not(protocol: str, phase: str, cause: str) -> str:
    """Why this cause cannot come in this phase; empty where it can. Raises KeyError for a name that is not there."""
    if phase not in PHASES[protocol]:
        raise KeyError(f"{protocol} has no phase {phase!r}")
    if cause not in CAUSES[protocol]:
        raise KeyError(f"{protocol} has no cause {cause!r}")
    return _RULES[protocol](phase, cause)


def why_no_shape(shape: str, phase: str, cause: str) -> str:
    """Why a gRPC call of this shape cannot be in this phase or ended by this cause; empty where it can."""
    if shape == "unary" and phase == "mid-stream":
        return "a unary call is no stream"
    if shape == "unary" and phase == "after the last chunk":
        return "a single response comes together with its status"
    if cause == BREAK and shape != "server stream":
        return "only a server stream is read in a loop and nothing else"
    return ""


def cells() -> Iterator[tuple[str, str, str, str]]:
    """(protocol, phase, cause, why not) of the whole grid, in the tables' order."""
    for protocol in PROTOCOLS:
        for phase in PHASES[protocol]:
            for cause in CAUSES[protocol]:
                yield protocol, phase, cause, why_not(protocol, phase, cause)


def _grpc(phase: str, cause: str) -> str:
    if phase == "connecting" and cause in ("server abort", "server stop", "server killed"):
        return "no server has the call yet"
    if cause == BREAK and phase != "mid-stream":
        return "a loop over the chunks is left at a chunk"
    return ""


def _http2(phase: str, cause: str) -> str:
    return _http(phase, cause, _COVERED_BY_HTTP2)


def _http(phase: str, cause: str, covered: dict[str, tuple[str, ...]] = _COVERED_BY) -> str:
    if cause in covered and phase not in covered[cause]:
        return f"httpx's {cause} covers {', '.join(covered[cause])} only"
    if phase == IDLE and cause in ("task.cancel", "asyncio.timeout"):
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
    if phase == "TCP connect" and cause in ("pg_terminate_backend", CLOSE_CONNECTION, "terminate", "socket cut"):
        return "there is no connection and no backend yet"
    return _postgres_waiting(phase, cause)


def _postgres_waiting(phase: str, cause: str) -> str:
    if phase == "startup" and cause in (CLOSE_CONNECTION, "terminate"):
        return "asyncpg has given nobody a connection yet: there is nothing to call it on"
    if phase == "pool acquire" and cause in (CLOSE_CONNECTION, "terminate", "socket cut", "pg_terminate_backend"):
        return "the waiting task has no connection; ending another's frees a slot"
    if phase in ("LISTEN", "cursor") and cause in ("timeout", "command_timeout"):
        return "the client waits for no command: its timer does not run"
    return ""


_RULES: dict[str, Callable[[str, str], str]] = {
    "grpc": _grpc,
    "http/1.1": _http,
    "http/2": _http2,
    "postgres": _postgres,
}
