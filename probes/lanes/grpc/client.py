"""``python -P -m probes.lanes.grpc.client NAME``: one gRPC client for one call, made to be killed
(``probes.lanes.grpc.process``). Its events leave on stdout with ``NAME`` as their source; the end of file on its stdin
ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping

# grpc's core writes to descriptor 2 by itself; it must be told before its first import.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

import msgspec
import uvloop

from probes.events import Progress
from probes.lanes.bench import Bench
from probes.lanes.grpc.caller import CONNECTING, GrpcCaller
from probes.lanes.grpc.connecting import Dead
from probes.lanes.grpc.orders import CLIENT, GO, Order
from probes.outlet import Outlet, read_lines
from probes.sink import Sink
from probes.tap.decode import http_conversation
from probes.tap.proxy import Address, Tap
from probes.tap.witness import Ledger
from probes.tasks import TaskKeeper


class NoServers:
    """The servers are the lab's."""

    def call_on(self, hop: Mapping[str, object]) -> None:
        raise AssertionError("the lab has the hops")

    def strike(self, run: int, lane: str, how: str, grace: float | None = None) -> None:
        raise AssertionError("the lab strikes")

    async def entered(self, run: int, lane: str) -> None:
        raise AssertionError("the lab knows")


class Inside(GrpcCaller):
    """The client's half of the lane. Its resource, and what only the lab can see, are left to the lab."""

    async def at_server(self) -> None:
        """The lab hears of the handler."""

    def open_resource(self, evidence: str = "") -> None:
        """The lab has it."""

    def disturb(self, at: str) -> None:
        """The lab has the tap."""

    async def released(self) -> None:
        """The lab sees it."""


class Known(Dead):
    """An address that refuses, which the lab has taken and named."""

    async def open(self) -> Address:
        return self._bench.address


async def serve(name: str) -> None:
    """Make the call that is asked for, and end with it or with stdin."""
    outlet = Outlet()
    sink = Sink(name, outlet.write)
    outlet.sink = sink
    tasks = TaskKeeper(lambda task, error: print(f"{task}: {error!r}", file=sys.stderr))
    lines = read_lines()
    order = msgspec.json.decode(await anext(lines), type=Order)
    lane = _lane(order, sink, tasks)
    await lane.prepare()
    sink.emit(Progress, part=CLIENT, state="ready")
    if await anext(lines, b"") == GO:
        call = tasks.start(lane.caller(), name="call")
        parent = tasks.start(_end_of(lines), name="stdin")
        await asyncio.wait({call, parent}, return_when=asyncio.FIRST_COMPLETED)
    await lane.teardown()
    await tasks.close()
    await outlet.drain()


def _lane(order: Order, sink: Sink, tasks: TaskKeeper) -> GrpcCaller:
    ledger = Ledger(sink, order.plan.lane, http_conversation)
    # It is the lab's tap that listens: to this one nobody connects.
    tap = Tap(ledger.witness, order.address, sink.clock)
    bench = Bench(sink, order.address, ledger, tap, tasks, NoServers())
    refused = order.plan.phase == CONNECTING and order.plan.options.get("target") == "dead"
    return Inside(bench, order.run, order.plan, target=Known(bench, order.run, order.plan) if refused else None)


async def _end_of(lines: AsyncIterator[bytes]) -> None:
    async for _ in lines:
        """Nothing more is asked of it."""


if __name__ == "__main__":
    # The terminal's Ctrl-C is the app's affair.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(serve(sys.argv[1]))
