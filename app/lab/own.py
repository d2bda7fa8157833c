"""Servers that one run of one lane has for itself, because its cause stops or kills them."""

from __future__ import annotations

from collections.abc import Mapping

from app.lab.handlers import Handlers
from app.lab.servers import ServersProcess
from probes.outlet import Outlet
from probes.sink import Sink
from probes.tap.proxy import Tap
from probes.tap.seen import Tag
from probes.tasks import TaskKeeper


class OwnServers:
    """A process that is started when its lane is made ready and gone when that is torn down. Its death in between is
    part of the run."""

    def __init__(self, sink: Sink, outlet: Outlet, tasks: TaskKeeper, handlers: Handlers, whose: Tag) -> None:
        self._process = ServersProcess(sink, outlet, tasks, _expected, handlers, whose)

    async def start(self, tap: Tap) -> None:
        """Raises RuntimeError when it does not come up."""
        host, _, port = (await self._process.start())["grpc"].rpartition(":")
        tap.upstream = (host, int(port))

    async def stop(self) -> None:
        await self._process.stop()

    def kill(self) -> None:
        self._process.kill()

    def call_on(self, hop: Mapping[str, object]) -> None:
        self._process.call_on(hop)

    def strike(self, run: int, lane: str, how: str, grace: float | None = None) -> None:
        self._process.strike(run, lane, how, grace)

    async def entered(self, run: int, lane: str) -> None:
        await self._process.entered(run, lane)


def _expected(how: str) -> None:
    """It was told as an event already, and nobody mends it."""
    del how
