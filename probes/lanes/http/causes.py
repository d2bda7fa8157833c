"""How an HTTP call is struck: what each cause does that is more than a cancel of its task, and a cancel that is due at
a named step of httpcore's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from probes.events import FaultPlan, LanePlan, Layer
from probes.lanes.base import Blow, Fire
from probes.lanes.bench import Bench
from probes.lanes.http.client import Client
from probes.lanes.http.stages import Idle, Stage

HANDSHAKE = "TLS handshake"
_LOOK = 0.005


class Target(Protocol):
    """The lane, as its causes need it."""

    bench: Bench
    run: int
    plan: LanePlan
    stage: Stage
    fire: Fire

    @property
    def client(self) -> Client: ...

    def armed(self, evidence: str) -> None: ...
    def start(self, coro: Coroutine[Any, Any, Any], what: str) -> asyncio.Task[Any]: ...
    def dead(self) -> int: ...


class Causes:
    """What can be done to the call of one lane."""

    def __init__(self, lane: Target) -> None:
        self._lane, self._plan = lane, lane.plan
        self._cancel_at = str(lane.plan.options.get("cancel_at", ""))

    def blows(self) -> Mapping[str, Blow]:
        return {
            "client.aclose": self._aclose,
            "server FIN": partial(self._server, "fin"),
            "server RST": partial(self._server, "rst"),
        }

    @property
    def how(self) -> str:
        """The call that carries out the plan's cause; empty where its name says it."""
        if self._cut_by_tap and self._plan.cause.startswith("server"):
            return "cut by the tap"
        return ""

    @property
    def _cut_by_tap(self) -> bool:
        """The server's application has not got the connection yet: the tap ends it in the server's place."""
        return self._plan.phase == HANDSHAKE

    # At a step of httpcore's --------------------------------------------------------------------------

    def traced(self, name: str, event: str) -> None:
        """An event of the trace extension, with its protocol and without."""
        if event == self._cancel_at:
            self._cancel_at = ""
            self._lane.armed(f"httpcore: {name}")
            self._later(self._ticks)

    def cancel_here(self) -> None:
        """Cancel the call now, in this very turn of the loop."""
        turns = self._ticks
        after = f"{turns} turn{'' if turns == 1 else 's'} of the loop after {self._plan.options['cancel_at']}"
        self._lane.fire(self._plan.cause, after)

    @property
    def _ticks(self) -> int:
        return int(self._plan.options.get("ticks", 1))

    def _later(self, ticks: int) -> None:
        if ticks < 1:
            self.cancel_here()
        else:
            asyncio.get_running_loop().call_soon(self._later, ticks - 1)

    # By somebody else ---------------------------------------------------------------------------------

    def _aclose(self) -> Layer:
        self._lane.start(self._close_client(), "client.aclose")
        return "client"

    async def _close_client(self) -> None:
        await self._lane.client.http.aclose()
        self._struck()

    def _server(self, how: str) -> Layer:
        lane = self._lane
        if self._cut_by_tap:
            lane.bench.tap.inject(FaultPlan(kind="cut", how=how.upper()))
            return "server"
        lane.bench.servers.strike(lane.run, lane.plan.lane, how)
        lane.start(self._server_struck(), how)
        return "server"

    async def _server_struck(self) -> None:
        """Until the news is in the client's kernel, which is where an idle client leaves it."""
        while not self._lane.dead():  # noqa: ASYNC110 - nobody reads, so nobody is told
            await asyncio.sleep(_LOOK)
        self._struck()

    def _struck(self) -> None:
        if isinstance(self._lane.stage, Idle):
            self._lane.stage.struck.set()
