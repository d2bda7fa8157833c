"""The request that is measured: sent as the plan wants it, its response read and counted.

httpcore's trace extension runs inside the request's own task, so what hears of it here may only take notes.
"""

from __future__ import annotations

from typing import Any, Protocol

from probes.events import LanePlan
from probes.lanes.http.causes import Causes
from probes.lanes.http.client import Client
from probes.lanes.http.h2_reset import NAME as PATCHED
from probes.lanes.http.links import MADE_UP
from probes.lanes.http.stages import Stage
from probes.schema import LANE_HEADER, RUN_HEADER


class Sender(Protocol):
    """The lane, as its request needs it."""

    run: int
    plan: LanePlan
    stage: Stage
    causes: Causes

    @property
    def client(self) -> Client: ...

    def url(self, path: str, host: str = "") -> str: ...
    def received(self, size: int, n: int = 1) -> None: ...


class Request:
    """``made_up``: what its caller took for a whole response is a link's, or was cut short by one."""

    def __init__(self, lane: Sender) -> None:
        self._lane = lane
        self._size = self._chunks = 0
        self._read = self.made_up = False

    @property
    def complete(self) -> bool:
        """Whether its response was read to the end, if only by a link whose caller had left."""
        links = self._lane.client.links
        return self._read if links is None else links.whole

    @property
    def title(self) -> str:
        patched = f" ({PATCHED})" if self._lane.plan.options.get("reset") else ""
        return f"{self._lane.stage.method} {self._path}{patched}"

    @property
    def _path(self) -> str:
        # Our own server's handlers are always told; a framework's has to look.
        options = self._lane.plan.options
        watching = options.get("server") == "hypercorn" and options.get("watch")
        return self._lane.stage.path() + ("&watch=1" if watching else "")

    async def send(self) -> str:
        """The whole exchange; what its caller got, in a few words. Raises what httpx raises."""
        lane = self._lane
        stream = lane.client.http.stream(
            lane.stage.method,
            lane.url(self._path),
            headers={RUN_HEADER: str(lane.run), LANE_HEADER: lane.plan.lane},
            content=lane.stage.body(),
            extensions={"trace": self._trace},
        )
        async with stream as response:
            async for chunk in response.aiter_raw():
                self._got(len(chunk))
        self._read = True
        self.made_up = not self.complete
        return f"{response.status_code}{self._flaw(response)}"

    def _flaw(self, response: Any) -> str:
        if MADE_UP in response.headers:
            return ", empty: no answer of the server's"
        return ", cut short by a link" if self.made_up else ""

    def _got(self, size: int) -> None:
        """Whole chunks are counted: how the network cut them says nothing."""
        self._size += size
        new = self._size // self._lane.plan.size - self._chunks
        if new:
            self._chunks += new
            self._lane.received(new * self._lane.plan.size, new)
            self._lane.stage.read(self._chunks)

    async def _trace(self, name: str, info: dict[str, Any]) -> None:
        del info
        event = name.partition(".")[2]
        self._lane.stage.traced(event)
        self._lane.causes.traced(name, event)
