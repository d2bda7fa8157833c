"""The client of one run: made for it, and dropped with it.

A client is not shared between runs because httpcore 1.0 loses pool slots when a task is cancelled natively at the
wrong tick; a client that is closed, dropped and collected takes its losses with it.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Any

from probes.events import LanePlan
from probes.lanes.http import h2_reset
from probes.lanes.http.library import Library
from probes.lanes.http.links import Links, behind
from probes.lanes.http.network import Network
from probes.middleware import Chain

_POOL_SIZE = 100
_KEPT = 20
_KEPT_FOR = 5.0
"""httpx's own defaults."""

LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""Closing drops what was not sent, and resets (socket(7))."""
_REQUESTS = re.compile(r"Requests: (\d+) active, (\d+) queued")


@dataclass(frozen=True, slots=True)
class Client:
    """``http`` is what the caller uses; ``pool`` is httpcore's, below it; ``network`` below that. ``links``: the
    middleware between the first two, where there is any."""

    http: Any
    pool: Any
    network: Network
    links: Links | None

    def busy(self) -> int:
        """Connections that are neither idle nor closed: the slots that are taken."""
        return sum(not (each.is_idle() or each.is_closed()) for each in self.pool.connections)

    def idle(self) -> int:
        return sum(each.is_idle() and not each.is_closed() for each in self.pool.connections)

    def requests(self) -> tuple[int, int]:
        """(active, queued), as the pool itself counts them."""
        found = _REQUESTS.search(repr(self.pool))
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def info(self) -> str:
        """What the pool says of its connections: ``HTTP/1.1, IDLE, Request Count: 1``."""
        return "; ".join(each.info().partition(", ")[2] or each.info() for each in self.pool.connections)


def make_client(library: Library, plan: LanePlan, context: ssl.SSLContext, network: Network, chain: Chain) -> Client:
    """The lane's own requests pass ``chain``. Raises ``h2_reset.NotFitting`` where the plan asks for the patch and the
    library is another one."""
    http2 = plan.protocol == "http/2"
    pool_of = library.httpcore.AsyncConnectionPool
    if plan.options.get("reset"):
        pool_of = h2_reset.resetting_pool(library.httpcore)
    versions = {"http1": not http2, "http2": http2}
    transport = library.httpx.AsyncHTTPTransport(verify=context, trust_env=False, **versions)
    # httpx hands no network backend on; this is the pool that it would make, with one.
    transport._pool = pool_of(
        ssl_context=context,
        max_connections=int(plan.options.get("pool_size", 0)) or default_pool_size(plan),
        max_keepalive_connections=_KEPT,
        keepalive_expiry=_KEPT_FOR,
        socket_options=[LINGER] if plan.options.get("linger") else None,
        network_backend=network,
        **versions,
    )
    names = ("connect", "read", "write", "pool")
    timeout = library.httpx.Timeout(**{name: plan.timeouts.get(name) for name in names})
    links = behind(library, chain, transport, plan.lane) if chain else None
    http = library.httpx.AsyncClient(transport=links or transport, timeout=timeout, trust_env=False)
    return Client(http, transport._pool, network, links)


def default_pool_size(plan: LanePlan) -> int:
    """One where the call is to wait for the pool, else what httpx has."""
    return 1 if plan.phase == "pool wait" else _POOL_SIZE
