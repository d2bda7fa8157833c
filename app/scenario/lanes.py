"""A ``[[lanes]]`` table: which call is made, where in its life it is cancelled, by what, and what disturbs it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from app.scenario.expect import LaneExpect
from app.scenario.fields import Misfit, Strict, Time, Timeout, listed
from probes import catalogue
from probes.events import FaultPlan, LanePlan
from probes.pairs import senseless
from probes.units import parse_duration

Protocol = Literal["grpc", "http/1.1", "http/2", "postgres"]


def _option(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("an option is true, false, a number or text")
    return value


OptionValue = Annotated[bool | int | float | str, BeforeValidator(_option)]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._/+-]{0,38}[A-Za-z0-9+])?")


class FaultSpec(Strict):
    """One ``[[lanes.faults]]`` table: what the tap does to the lane's connections."""

    kind: Literal["freeze", "black-hole", "slow", "hold", "delay-cancel", "lose-cancel", "cut"]
    """What is done to the connections."""
    direction: Literal["client>server", "server>client"] | None = None
    """Which way it works; both ways where none is given."""
    at: Literal["start", "phase", "trigger"] = "start"
    """From when on: the lane's start, the moment at which its call is in its phase, or the trigger."""
    seconds: Timeout = None
    """How long it stands; "none": to the end of the run. Of delay-cancel: how long each CancelRequest is held."""
    rate: int | None = Field(default=None, ge=1, le=1 << 30)
    """Bytes a second, of slow."""
    how: Literal["FIN", "RST"] | None = None
    """How cut ends the connection."""

    @model_validator(mode="after")
    def _fits(self) -> FaultSpec:
        self._belongs("rate", self.rate, "slow", "rate = 1024 (bytes a second)")
        self._belongs("how", self.how, "cut", 'how = "RST"')
        if self.kind == "delay-cancel" and self.seconds is None:
            raise Misfit('the fault "delay-cancel" needs a time: write seconds = "500ms"', "kind")
        if self.seconds == 0:
            raise Misfit('a fault lasts longer than 0; "none" is to the end of the run', "seconds")
        return self

    def _belongs(self, key: str, value: object, kind: str, remedy: str) -> None:
        if self.kind == kind and value is None:
            raise Misfit(f'the fault "{kind}" needs {key}: write {remedy}', "kind")
        if self.kind != kind and value is not None:
            raise Misfit(f'only the fault "{kind}" has {key}', key)

    def to_plan(self) -> FaultPlan:
        return FaultPlan(
            kind=self.kind,
            direction=self.direction or "",
            at=self.at,
            seconds=self.seconds,
            rate=self.rate or 0,
            how=self.how or "",
        )


class LaneSpec(Strict):
    """One ``[[lanes]]`` table."""

    name: str | None = None
    """What the lane is called; unique in the file. The protocol's name where none is given."""
    protocol: Protocol
    """Which client is under test."""
    phase: str
    """Where in its life the call is when it is cancelled."""
    cause: str = "task.cancel"
    """What cancels it there: what the trigger does to this lane, or the timer that is its own trigger."""
    behaviour: str = "cooperative"
    """How the server's handler lives with being cancelled; an argument follows a colon: slow-cleanup:0.5."""
    shape: str | None = None
    """Which kind of call a grpc lane makes; "server stream" where none is given."""
    tls: bool = False
    """An HTTP lane speaks TLS; its tap sees records only."""
    after: int = Field(default=1, ge=1, le=1_000_000)
    """Chunks that must have been read (or sent) before the call counts as in its phase."""
    delay: Time = 0.0
    """What the server waits before its first byte, and how long a statement executes."""
    chunks: int = Field(default=1000, ge=1, le=1_000_000)
    """Chunks, messages or rows of the whole answer."""
    size: int = Field(default=1024, ge=1, le=1 << 20)
    """Bytes of each of them."""
    interval: Time = 0.02
    """What the server waits after each of them."""
    timeouts: dict[str, Timeout] = Field(default_factory=dict)
    """The client's own timeouts by name; "none" is off. A cause that is a timer needs its own here."""
    middleware: list[str] = Field(default_factory=list, max_length=16)
    """Links between caller and client, the outermost first; an argument follows a colon: add-timeout:250ms."""
    faults: list[FaultSpec] = Field(default_factory=list, max_length=16)
    """What the tap does to the lane's connections."""
    options: dict[str, OptionValue] = Field(default_factory=dict)
    """What only some protocols have, by name."""
    expect: LaneExpect = LaneExpect()
    """What this lane must show."""

    @property
    def lane(self) -> str:
        """What the lane is called in events and results."""
        return self.name or self.protocol

    @model_validator(mode="after")
    def _fits(self) -> LaneSpec:
        for misfit in _misfits(self):
            raise misfit
        for found in senseless(self.to_plan()):
            raise Misfit(found.why, *found.path)
        return self

    def to_plan(self) -> LanePlan:
        return LanePlan(
            lane=self.lane,
            protocol=self.protocol,
            phase=self.phase,
            cause=self.cause,
            behaviour=self.behaviour,
            shape=_grpc_shape(self) if self.protocol == "grpc" else "",
            tls=self.tls,
            after=self.after,
            delay=self.delay,
            chunks=self.chunks,
            size=self.size,
            interval=self.interval,
            timeouts=dict(self.timeouts),
            middleware=tuple(self.middleware),
            faults=tuple(fault.to_plan() for fault in self.faults),
            options=dict(self.options),
        )


def _misfits(lane: LaneSpec) -> Iterator[Misfit]:
    """Everything that is wrong with it, what others depend on first."""
    if lane.name is not None and not _NAME.fullmatch(lane.name):
        yield Misfit("a lane's name is up to 40 letters, digits, spaces and any of . _ / + -", "name")
    yield from _phase_and_cause(lane)
    yield from _shape_and_tls(lane)
    yield from _timeouts(lane)
    if lane.behaviour.partition(":")[0] not in catalogue.BEHAVIOURS:
        yield Misfit(f"unknown behaviour: there are {listed(catalogue.BEHAVIOURS)}", "behaviour")
    for number, link in enumerate(lane.middleware):
        yield from _link(link, number)
    for text in lane.expect.links:
        if text not in lane.middleware:
            there = listed(lane.middleware) or "none"
            yield Misfit(f"there is no link {text!r} in the middleware: there is {there}", "expect", "links", text)
    yield from _faults(lane)
    yield from _options(lane)


def _phase_and_cause(lane: LaneSpec) -> Iterator[Misfit]:
    phases, causes = catalogue.PHASES[lane.protocol], catalogue.CAUSES[lane.protocol]
    if lane.phase not in phases:
        yield Misfit(f"{lane.protocol} has no phase {lane.phase!r}: it has {listed(phases)}", "phase")
    elif lane.cause not in causes:
        yield Misfit(f"{lane.protocol} has no cause {lane.cause!r}: it has {listed(causes)}", "cause")
    elif why := catalogue.why_not(lane.protocol, lane.phase, lane.cause):
        yield Misfit(f"{lane.cause} cannot come in the phase {lane.phase!r}: {why}", "cause")
    elif lane.phase in catalogue.LASTING and not lane.delay and not lane.faults:
        yield Misfit(f'the phase {lane.phase!r} lasts as long as delay: write delay = "30s"', "phase")


def _shape_and_tls(lane: LaneSpec) -> Iterator[Misfit]:
    if lane.shape is not None and lane.protocol != "grpc":
        yield Misfit("only a grpc lane has a shape", "shape")
    elif lane.shape is not None and lane.shape not in catalogue.SHAPES:
        yield Misfit(f"there is no shape {lane.shape!r}: there are {listed(catalogue.SHAPES)}", "shape")
    elif lane.protocol == "grpc" and (why := catalogue.why_no_shape(_grpc_shape(lane), lane.phase, lane.cause)):
        yield Misfit(why, "shape")
    if lane.tls and not lane.protocol.startswith("http/"):
        yield Misfit("only HTTP lanes have tls", "tls")
    elif lane.phase == "TLS handshake" and not lane.tls:
        yield Misfit("the phase 'TLS handshake' needs tls = true", "phase")


def _grpc_shape(lane: LaneSpec) -> str:
    return lane.shape or "server stream"


def _timeouts(lane: LaneSpec) -> Iterator[Misfit]:
    known = catalogue.TIMEOUTS[lane.protocol]
    for name, seconds in lane.timeouts.items():
        if name not in known:
            yield Misfit(f"{lane.protocol} has no timeout {name!r}: it has {listed(known)}", "timeouts", name)
        elif seconds == 0:
            yield Misfit('a timeout must be above 0, or "none"', "timeouts", name)
    timer = catalogue.TIMERS.get(lane.cause)
    if timer is not None and lane.timeouts.get(timer) is None:
        key = f'"{timer}"' if "." in timer else timer
        yield Misfit(f'the cause "{lane.cause}" needs its timeout: write timeouts = {{ {key} = "400ms" }}', "cause")


def _link(link: str, number: int) -> Iterator[Misfit]:
    name, colon, argument = link.partition(":")
    if name not in catalogue.MIDDLEWARE:
        yield Misfit(f"unknown middleware: there are {listed(catalogue.MIDDLEWARE)}", "middleware", number)
        return
    takes, _ = catalogue.MIDDLEWARE[name]
    if not takes and colon:
        yield Misfit(f"{name} takes no argument", "middleware", number)
    elif takes and not _is_time(argument):
        yield Misfit(f"{name} takes {takes}, like {name}:250ms", "middleware", number)


def _is_time(text: str) -> bool:
    try:
        return bool(parse_duration(text))
    except ValueError:
        return False


def _faults(lane: LaneSpec) -> Iterator[Misfit]:
    for number, fault in enumerate(lane.faults):
        if fault.kind.endswith("-cancel") and lane.protocol != "postgres":
            yield Misfit(f"only a postgres lane has CancelRequests to {fault.kind.partition('-')[0]}", "faults", number)


def _options(lane: LaneSpec) -> Iterator[Misfit]:
    known = catalogue.OPTIONS[lane.protocol]
    for name, value in lane.options.items():
        if name not in known:
            yield Misfit(f"{lane.protocol} has no option {name!r}: it has {listed(known)}", "options", name)
        elif right := _not_taken(known[name].takes, value):
            yield Misfit(f"the option {name} is {right}, not {value!r}", "options", name)


def _not_taken(takes: object, value: bool | int | float | str) -> str:
    """What an option would take, where ``value`` is not of it; else an empty text."""
    if isinstance(takes, tuple):
        return "" if value in takes else f"one of {listed(takes)}"
    if takes is bool:
        return "" if isinstance(value, bool) else "true or false"
    fine = not isinstance(value, bool | str) and math.isfinite(value) and value >= 0
    if takes is str:
        return "" if isinstance(value, str) else "text"
    if takes is int:
        return "" if fine and isinstance(value, int) else "a whole number, 0 or above"
    return "" if fine else "a number, 0 or above"
