"""What the gRPC lane keeps over the runs."""

from __future__ import annotations

import contextlib

from probes.events import LanePlan
from probes.lanes.base import Lane
from probes.lanes.bench import Bench
from probes.lanes.grpc.channel import connected, shared_channel
from probes.lanes.grpc.lane import GrpcLane, needs_own_channel
from probes.lanes.grpc.process import ProcessLane

KILLED = "client killed"


class GrpcSession:
    """The channel, shared by the runs of a lab: that it outlives every cancel is part of what is shown."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._channel = shared_channel(bench.address)

    def lane(self, run: int, plan: LanePlan) -> Lane:
        if plan.cause == KILLED:
            return ProcessLane(self.bench, run, plan)
        return GrpcLane(self.bench, run, plan, None if needs_own_channel(plan) else self._channel)

    async def warm(self, plan: LanePlan) -> None:
        if needs_own_channel(plan) or plan.cause == KILLED:
            return
        # One that does not connect is reported by the lane that needs it.
        with contextlib.suppress(TimeoutError):
            await connected(self._channel)

    async def held(self) -> dict[str, int]:
        return {}

    async def close(self) -> None:
        await self._channel.close()
