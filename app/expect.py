"""Holds a run against what its scenario expects: state in, differences out. Pure.

Each difference is one line that names the lane, the mark, what was wanted and what came. A run that missed its phase
proves nothing either way: it is told by ``missed`` and not compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.scenario.expect import NO_EFFECT, OPEN, LaneExpect, RunExpect, split
from app.terms import OPERATORS, Bound, Order, Relation, Term
from probes.state import LaneState, Mark, Moment, RunState
from probes.units import format_duration
from probes.verdict import leaked, missed_phase, offset, skew, verdict, violations, zombie

_UNKNOWN = "nothing that is known"
_NOTHING = "nothing"


class Expectation(NamedTuple):
    """What a scenario says of a whole run: between the lanes, and of each lane by its name."""

    run: RunExpect
    lanes: Mapping[str, LaneExpect]


@dataclass(frozen=True, slots=True)
class Difference:
    """``lane`` is empty for what concerns the whole run; ``what``: the mark or the figure."""

    lane: str
    what: str
    wanted: str
    got: str

    def __str__(self) -> str:
        return f"{self.lane} {self.what}: wanted {self.wanted}, got {self.got}".lstrip()


def missed(run: RunState) -> list[str]:
    """Why this run does not count, a text for each lane that was not in its phase when it was cancelled."""
    return [f"{lane.name} {_how_missed(lane)}" for lane in run.lanes if missed_phase(lane)]


def _how_missed(lane: LaneState) -> str:
    if lane.reached is not None and lane.zero is not None:
        late = format_duration(lane.reached - lane.zero.t)
        return f"was cancelled {late} before it was in the phase {lane.plan.phase!r}"
    row = lane.layer("client")
    how = f": its call {row.outcome}" if row.outcome in ("failed", "completed") else ""
    return f"never was in the phase {lane.plan.phase!r}{how}"


def differences(run: RunState, wanted: Expectation) -> list[Difference]:
    """Everything in which a run that has ended differs, lane by lane and then between them."""
    found: list[Difference] = []
    for lane in run.lanes:
        expect = wanted.lanes.get(lane.name)
        if expect is not None:
            found += _lane(lane, expect, run.ended or 0)
    return [*found, *_run(run, wanted.run)]


# --- one lane -----------------------------------------------------------------------------------------


def _lane(lane: LaneState, expect: LaneExpect, now: int) -> Iterator[Difference]:
    for path, terms in expect.wanted():
        for each in terms:
            yield from _mark(lane, path, each)
    for line in expect.order:
        yield from _order(lane.name, line, [(path, _first(lane, path)) for path in line.paths])
    words = (
        ("verdict", expect.verdict, verdict(lane, now)),
        ("client's machine", expect.machine.client, lane.client.state.value),
        ("server's machine", expect.machine.server, lane.server.state.value),
        ("caller's outcome", expect.outcome.caller, lane.layer("caller").outcome or OPEN),
        ("client's outcome", expect.outcome.client, lane.layer("client").outcome or OPEN),
        ("server's outcome", expect.outcome.server, lane.layer("server").outcome or OPEN),
    )
    for what, allowed, got in words:
        if allowed and got not in allowed:
            yield Difference(lane.name, what, " or ".join(allowed), got)
    yield from _amounts(lane, expect, now)


def _amounts(lane: LaneState, expect: LaneExpect, now: int) -> Iterator[Difference]:
    dead = zombie(lane, now)
    if expect.zombie == "none":
        yield from _if(dead.ns != 0, lane.name, "zombie", "none", format_duration(dead.ns))
    elif expect.zombie is not None:
        for bound in expect.zombie:
            yield from _if(not bound.holds(dead.ns), lane.name, "zombie", bound.text, format_duration(dead.ns))
    counts = (("zombie bytes", expect.zombie_bytes, dead.size), ("swallowed", expect.swallowed, lane.swallowed))
    for what, count, got in counts:
        if count is not None and not count.holds(got):
            yield Difference(lane.name, what, count.text, str(got))
    for link, effects in expect.links.items():
        yield from _link(lane, link, effects)
    yield from _held(lane.name, "residue", expect.residue, lane.residue)
    for role, terms in expect.others.items():
        for each in terms:
            yield from _other(lane, role, each)
    for relation in expect.chunks:
        yield from _chunks(lane, relation)


def _other(lane: LaneState, role: str, wanted: Term) -> Iterator[Difference]:
    other = lane.others.get(role)
    got = "" if other is None else f"{other.outcome} {other.evidence}"
    if wanted.kind in ("present", "absent"):
        wrong = bool(got) is not (wanted.kind == "present")
    else:
        wrong = not got or wanted.found_in(got) is not (wanted.kind == "contains")
    yield from _if(wrong, lane.name, role, wanted.text, got or _NOTHING)


def _held(
    lane: str, what: str, wanted: Mapping[str, Bound] | str | None, held: Mapping[str, int]
) -> Iterator[Difference]:
    """``wanted``: "none", or a bound by name; names of which nothing is said may be held or not."""
    if isinstance(wanted, str):
        got = ", ".join(f"{count} {name}" for name, count in held.items() if count)
        yield from _if(bool(got), lane, what, wanted, got)
    elif wanted is not None:
        for name, bound in wanted.items():
            got = str(held.get(name, 0))
            yield from _if(not bound.holds(held.get(name, 0)), lane, f"{what} {name}", bound.text, got)


def _link(lane: LaneState, link: str, wanted: Sequence[str]) -> Iterator[Difference]:
    found = [each for each in lane.links if each.name == link]
    got = {each.effect for each in found} or {NO_EFFECT}
    if not got.issuperset(wanted):
        told = ", ".join(f"{each.effect} ({each.evidence})" for each in found)
        yield Difference(lane.name, f"link {link}", " and ".join(wanted), told or NO_EFFECT)


def _chunks(lane: LaneState, relation: Relation) -> Iterator[Difference]:
    left = _counter(lane, relation.left)
    right = relation.right if isinstance(relation.right, int) else _counter(lane, relation.right)
    if left is None or right is None:
        yield Difference(lane.name, "chunks", relation.text, "a number that nobody knows")
    elif not OPERATORS[relation.op](left, right):
        yield Difference(lane.name, "chunks", relation.text, f"{left} and {right}")


def _counter(lane: LaneState, name: str) -> int | None:
    found = {"accepted": lane.chunks.accepted, "on_wire": lane.chunks.on_wire, "read": lane.chunks.read}
    return found[name]


# --- marks --------------------------------------------------------------------------------------------


def _mark(lane: LaneState, path: str, wanted: Term) -> Iterator[Difference]:
    marks = _marks(lane, path)
    if wanted.kind == "absent":
        yield from _if(bool(marks), lane.name, path, "nothing", _told(lane, path, marks))
    elif not marks:
        yield Difference(lane.name, path, wanted.text, _NOTHING)
    elif wanted.bound is not None:
        at = offset(lane, _of(path, marks))
        wrong = at is None or not wanted.bound.holds(at)
        yield from _if(wrong, lane.name, path, wanted.text, _told(lane, path, marks))
    elif wanted.kind != "present":
        wrong = wanted.found_in(_evidence(marks)) is not (wanted.kind == "contains")
        yield from _if(wrong, lane.name, path, wanted.text, _told(lane, path, marks))


def _marks(lane: LaneState, path: str) -> list[Mark]:
    layer, _, moment = path.partition(".")
    rows = {row.layer: row for row in lane.layers}
    return [mark for mark in rows[layer].marks if mark.moment is Moment(moment)]  # type: ignore[index]


def _of(path: str, marks: list[Mark]) -> Mark:
    """The one that counts: a CancelRequest only asks for the interrupt that the wire's last one is."""
    return marks[-1] if path == "wire.interrupt" else marks[0]


def _first(lane: LaneState, path: str) -> Mark | None:
    marks = _marks(lane, path)
    return _of(path, marks) if marks else None


def _evidence(marks: list[Mark]) -> str:
    return ", ".join(mark.evidence for mark in marks)


def _told(lane: LaneState, path: str, marks: list[Mark]) -> str:
    if not marks:
        return _NOTHING
    at = offset(lane, _of(path, marks))
    return f"{_evidence(marks)} at {_time(at)}"


def _time(ns: int | None) -> str:
    """Rounded to a hundredth of a millisecond: nobody compares more by eye."""
    return "no time" if ns is None else f"{ns / 1e6:.2f} ms"


def _order(lane: str, order: Order, marks: list[tuple[str, Mark | None]]) -> Iterator[Difference]:
    if absent := [path for path, mark in marks if mark is None]:
        yield Difference(lane, "order", order.text, f"no {', no '.join(absent)}")
        return
    told = [(path, mark) for path, mark in marks if mark is not None]
    for (before, first), (after, second) in itertools.pairwise(told):
        # Two marks nearer than their errors are a tie, which contradicts no order.
        if first.t - second.t > first.err + second.err:
            yield Difference(lane, "order", order.text, f"{after} {_time(first.t - second.t)} before {before}")


# --- between the lanes --------------------------------------------------------------------------------


def _run(run: RunState, expect: RunExpect) -> Iterator[Difference]:
    for name, bounds in (
        (Moment.DONE, expect.skew.done),
        (Moment.INTERRUPT, expect.skew.interrupt),
        (Moment.CLEANUP, expect.skew.cleanup),
    ):
        yield from _skew(run, name, bounds)
    for line in expect.order:
        yield from _order("", line, [(path, _anywhere(run, path)) for path in line.paths])
    if expect.leaked is not None and not run.after:
        yield Difference("", "leaked", "a count before and after the run", "none")
    yield from _held("", "leaked", expect.leaked, leaked(run))
    steps = sum(violations(lane) for lane in run.lanes)
    yield from _if(not expect.violations.holds(steps), "", "violations", expect.violations.text, _illegal(run))


def _skew(run: RunState, moment: Moment, bounds: Iterable[Bound]) -> Iterator[Difference]:
    got = skew(run, moment)
    for bound in bounds:
        if got is None or not bound.holds(got):
            yield Difference("", f"skew of {moment.value}", bound.text, _UNKNOWN if got is None else _time(got))


def _anywhere(run: RunState, path: str) -> Mark | None:
    name, mark = split(path)
    lane = run.lane(name)
    return None if lane is None else _first(lane, mark)


def _illegal(run: RunState) -> str:
    sides = (
        (lane, side, name) for lane in run.lanes for side, name in ((lane.client, "client"), (lane.server, "server"))
    )
    found = [
        f"{lane.name} {name} {step.event} in {step.state}" for lane, side, name in sides for step in side.violations
    ]
    count = sum(violations(lane) for lane in run.lanes)
    more = [f"{count - len(found)} more"] if count > len(found) else []
    return f"{count}: {', '.join([*found, *more])}" if found else "0"


def _if(wrong: bool, lane: str, what: str, wanted: str, got: str) -> Iterator[Difference]:
    if wrong:
        yield Difference(lane, what, wanted, got)
