"""What a session's runs amount to: a line a run, medians and 95th percentiles over those that are alike. Pure; ns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from probes.state import LaneState, Moment, RunState
from probes.verdict import headline, offset, verdict, zombie

MOMENTS = (Moment.DONE, Moment.INTERRUPT, Moment.CLEANUP)
FEW = 20
"""With fewer values than this the 95th percentile is their largest."""


class LaneEntry(Struct, frozen=True):
    """``moments``: ns after the trigger of Done, I/O interrupt and cleanup; None where one did not come."""

    lane: str
    verdict: str
    moments: tuple[int | None, int | None, int | None]
    zombie: int = 0


class Entry(Struct, frozen=True):
    """One run. ``cause``: what triggered it, each cause once. ``outcome`` is empty while it is open."""

    run: int
    scenario: str
    title: str
    cause: str
    outcome: str
    lanes: tuple[LaneEntry, ...]

    def lane(self, name: str) -> LaneEntry | None:
        return next((each for each in self.lanes if each.lane == name), None)


class Spread(Struct, frozen=True):
    """Of one moment of one lane over ``count`` runs in which it came. ``p95`` by nearest rank."""

    count: int
    median: int
    p95: int

    @property
    def few(self) -> bool:
        """Too few values for a 95th percentile that is not just the largest."""
        return self.count < FEW


def entry(run: RunState) -> Entry:
    """The run as one line; of an open one as it stands at its last mark."""
    now = run.ended or 0
    lanes = tuple(_lane(lane, now) for lane in run.lanes)
    return Entry(run.run, run.scenario, run.title, trigger(run), run.outcome, lanes)


def _lane(lane: LaneState, now: int) -> LaneEntry:
    done, interrupt, cleanup = (offset(lane, headline(lane, moment)) for moment in MOMENTS)
    return LaneEntry(lane.name, verdict(lane, now), (done, interrupt, cleanup), zombie(lane, now).ns if now else 0)


def trigger(run: RunState) -> str:
    """What triggered it, each cause once, in the order of the lanes; empty where nothing did."""
    zeros = (lane.zero or run.zero for lane in run.lanes)
    return ", ".join(dict.fromkeys(zero.cause for zero in zeros if zero is not None))


def alike(entries: Iterable[Entry], scenario: str) -> list[Entry]:
    """The runs of one scenario that settled: only these can be put together."""
    return [each for each in entries if each.scenario == scenario and each.outcome == "settled"]


def values(entries: Iterable[Entry], lane: str, moment: int) -> list[int | None]:
    """Of each run in turn: ns of the ``moment`` (0 Done, 1 I/O interrupt, 2 cleanup); None where it did not come."""
    found = (each.lane(lane) for each in entries)
    return [None if each is None else each.moments[moment] for each in found]


def spread(found: Sequence[int | None]) -> Spread | None:
    """None where the moment never came."""
    known = sorted(value for value in found if value is not None)
    return Spread(len(known), median(known), nearest_rank(known, 0.95)) if known else None


def median(known: Sequence[int]) -> int:
    """Of sorted values; between the two in the middle where there are two."""
    half = len(known) // 2
    return known[half] if len(known) % 2 else round((known[half - 1] + known[half]) / 2)


def nearest_rank(known: Sequence[int], share: float) -> int:
    """The smallest of the sorted values that at least this ``share`` of them does not exceed."""
    return known[max(0, math.ceil(share * len(known)) - 1)]


def before(entries: Sequence[Entry], shown: Entry) -> Entry | None:
    """The last run of the same scenario that settled in front of ``shown``."""
    return next((each for each in reversed(alike(entries, shown.scenario)) if each.run < shown.run), None)
