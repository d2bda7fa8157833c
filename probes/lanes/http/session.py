"""What the runs of a lane share: its bench and one TLS context."""

from __future__ import annotations

import ssl

from probes.events import LanePlan
from probes.lanes.base import Lane
from probes.lanes.bench import Bench
from probes.lanes.http.lane import HttpLane


class HttpSession:
    """``ca``: the certificate (PEM) that the TLS servers' own was signed with; empty where none speaks TLS.

    One context for all runs, because making one costs a default client some 37 ms, and one for each place, because
    httpcore writes its ALPN into it.
    """

    def __init__(self, bench: Bench, *, ca: str = "") -> None:
        self.bench = bench
        self.context = ssl.create_default_context(cadata=ca or None)
        self._lanes: set[HttpLane] = set()

    def lane(self, run: int, plan: LanePlan) -> Lane:
        lane = HttpLane(self.bench, self.context, run, plan)
        self._lanes = {lane}
        return lane

    async def warm(self, plan: LanePlan) -> None:
        """Nothing is kept over the runs."""

    async def held(self) -> dict[str, int]:
        return {}

    async def close(self) -> None:
        """Whatever holds the last run's call is let go: a resolver's thread would hold up the end of the process."""
        for lane in self._lanes:
            await lane.stage.lift()
