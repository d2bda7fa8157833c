"""The middleware of a lane, and what its links say of the signals that come through."""

from __future__ import annotations

from probes.clock import Stamp
from probes.events import LanePlan, LinkSignal
from probes.lanes.bench import Bench
from probes.lanes.timers import TIMER_ERR_NS, Timers
from probes.middleware import Chain, Effect


class Middleware:
    """Between one lane's caller and its client. ``ended_call``: a link's own limit did."""

    def __init__(self, bench: Bench, run: int, plan: LanePlan, timers: Timers) -> None:
        self._sink, self._run, self._lane, self._timers = bench.sink, run, plan.lane, timers
        self.chain = Chain(plan.middleware, self._say)
        self.ended_call = False

    def _say(self, link: int, name: str, effect: Effect, evidence: str, when: float | None) -> None:
        """A signal that grew in a link, due at ``when`` on the loop's clock, is the lane's trigger."""
        if when is not None:
            self.ended_call = True
            self._timers.triggered(name, Stamp(round(when * 1e9), self._sink.clock.now().err + TIMER_ERR_NS))
        self._sink.emit(
            LinkSignal,
            run=self._run,
            lane=self._lane,
            layer="client",
            link=link,
            name=name,
            effect=effect,
            evidence=evidence,
        )
