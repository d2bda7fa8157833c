"""``[expect]`` and ``[lanes.expect]``: what a run must show, checked here, held against a run by ``app.expect``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from app.scenario.fields import NUMBER_AND_UNIT, Misfit, Strict, listed
from app.terms import CHUNKS, OPERATORS, Bound, Order, Relation, Term, count_bound, order, relation, term, time_bound
from probes import verdict
from probes.catalogue import EFFECTS, OTHERS
from probes.machine import State

T = TypeVar("T")

MARKS: tuple[str, ...] = (
    "caller.done",
    "caller.cleanup",
    "client.done",
    "client.cleanup",
    "wire.interrupt",
    "server.done",
    "server.cleanup",
    "resource.cleanup",
)
"""Every mark that a lane can have: layer and moment."""

OPEN = "open"
OUTCOMES = ("completed", "failed", "cancelled", "killed", OPEN)
"""How the work of a layer can have ended; ``open`` where it has not."""

NO_EFFECT = "none"
_EFFECTS = (*EFFECTS, NO_EFFECT)
_STATES = tuple(state.value for state in State)
_OP = f"({'|'.join(OPERATORS)})"
_COUNTER = f"({'|'.join(CHUNKS)})"
_WORDS = {"type": "string", "pattern": r"\S"}
_TIME_BOUND = {"type": "string", "pattern": rf"^\s*{_OP}\s*{NUMBER_AND_UNIT}\s*$"}
_ZOMBIE = {"type": "string", "pattern": rf"^(\s*{_OP}\s*{NUMBER_AND_UNIT}\s*|none)$"}
_ORDER = {"type": "string", "pattern": r"\S\s*<\s*\S"}
_RELATION = {"type": "string", "pattern": rf"^\s*{_COUNTER}\s*{_OP}\s*({_COUNTER}|\d+)\s*$"}
_BOUND = {"type": "string", "pattern": rf"^\s*{_OP}\s*\d+\s*$"}
_COUNT = {"anyOf": [{"type": "integer", "minimum": 0}, _BOUND]}
_LEFT = {"anyOf": [*_COUNT["anyOf"], {"enum": ["present", "absent"]}]}


def _one_or_more(schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]})


def _texts(value: object, read: Callable[[str], T]) -> tuple[T, ...]:
    found = value if isinstance(value, list) else [value]
    texts = [each for each in found if isinstance(each, str)]
    if not texts or len(texts) < len(found):
        raise ValueError("text is needed here, or a list of texts")
    return tuple(read(each) for each in texts)


def _terms(value: object) -> tuple[Term, ...]:
    terms = _texts(value, term)
    if len(terms) > 1 and any(each.kind == "absent" for each in terms):
        raise ValueError('"absent" stands alone: of a mark that does not come nothing else can be said')
    return terms


def _time_bounds(value: object) -> tuple[Bound, ...]:
    return _texts(value, time_bound)


def _zombie(value: object) -> tuple[Bound, ...] | Literal["none"]:
    return "none" if value == "none" else _time_bounds(value)


def _count_value(value: object) -> Bound:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError('a count is a number, or text like ">= 1"')
    return count_bound(value)


def _residue(value: object) -> dict[str, Bound] | Literal["none"]:
    if value == "none":
        return "none"
    if not isinstance(value, dict):
        raise ValueError('"none", or a table: residue = { handlers = "present", streams = 0 }')
    return {name: _left(name, each) for name, each in value.items()}


def _left(name: str, value: object) -> Bound:
    words: dict[object, object] = {"present": ">= 1", "absent": 0}
    try:
        return _count_value(words.get(value, value) if isinstance(value, str) else value)
    except ValueError as error:
        raise Misfit(f'{error}, or "present" or "absent"', name) from None


def _relations(value: object) -> tuple[Relation, ...]:
    return _texts(value, relation)


def _orders(value: object) -> tuple[Order, ...]:
    return _texts(value, order)


def _one_of(words: Sequence[str]) -> Callable[[object], tuple[str, ...]]:
    def read(value: object) -> tuple[str, ...]:
        found = _texts(value, str)
        if wrong := [each for each in found if each not in words]:
            raise ValueError(f"there is no {wrong[0]!r}: there are {listed(words)}")
        return found

    return read


def _enum(words: Sequence[str]) -> WithJsonSchema:
    return _one_or_more({"enum": list(words)})


def _others(value: object) -> dict[str, tuple[Term, ...]]:
    if not isinstance(value, dict):
        raise ValueError('a table is needed: others = { follow-up = "failed PoolTimeout" }')
    if strange := [name for name in value if name not in OTHERS]:
        raise Misfit(f"there is no such request: there are {listed(OTHERS)}", strange[0])
    found = {name: _terms(each) for name, each in value.items()}
    if any(each.bound for terms in found.values() for each in terms):
        raise ValueError('of a request say "present", "absent", or words of how it ended, like "completed 200"')
    return found


Wanted = Annotated[tuple[Term, ...], BeforeValidator(_terms), _one_or_more(_WORDS)]
"""Of one mark: all of these must be so."""
TimeBounds = Annotated[tuple[Bound, ...], BeforeValidator(_time_bounds), _one_or_more(_TIME_BOUND)]
Zombie = Annotated[tuple[Bound, ...] | Literal["none"], BeforeValidator(_zombie), _one_or_more(_ZOMBIE)]
Count = Annotated[Bound, BeforeValidator(_count_value), WithJsonSchema(_COUNT)]
Residue = Annotated[
    dict[str, Bound] | Literal["none"],
    BeforeValidator(_residue),
    WithJsonSchema({"anyOf": [{"const": "none"}, {"type": "object", "additionalProperties": _LEFT}]}),
]
Others = Annotated[
    dict[str, tuple[Term, ...]],
    BeforeValidator(_others),
    WithJsonSchema({"type": "object", "propertyNames": {"enum": list(OTHERS)}, "additionalProperties": _WORDS}),
]
Relations = Annotated[tuple[Relation, ...], BeforeValidator(_relations), _one_or_more(_RELATION)]
Orders = Annotated[tuple[Order, ...], BeforeValidator(_orders), _one_or_more(_ORDER)]
Verdict = Annotated[tuple[str, ...], BeforeValidator(_one_of(verdict.WORDS)), _enum(verdict.WORDS)]
MachineState = Annotated[tuple[str, ...], BeforeValidator(_one_of(_STATES)), _enum(_STATES)]
Effects = Annotated[tuple[str, ...], BeforeValidator(_one_of(_EFFECTS)), _enum(_EFFECTS)]
Outcome = Annotated[tuple[str, ...], BeforeValidator(_one_of(OUTCOMES)), _enum(OUTCOMES)]


class DoneAndCleanup(Strict):
    """Two marks of a layer."""

    done: Wanted = ()
    """It was told."""
    cleanup: Wanted = ()
    """It holds nothing any more."""


class OnlyInterrupt(Strict):
    """The mark of the wire."""

    interrupt: Wanted = ()
    """Bytes really stopped."""


class OnlyCleanup(Strict):
    """The mark of the resource."""

    cleanup: Wanted = ()
    """It is free again."""


class Machines(Strict):
    """States of the machine of a partial response; one of those that are given."""

    client: MachineState = ()
    """Where the client's side ended."""
    server: MachineState = ()
    """Where the server's side ended."""


class Outcomes(Strict):
    """How the work of a layer ended."""

    caller: Outcome = ()
    """Of the calling task."""
    client: Outcome = ()
    """Of the library's call."""
    server: Outcome = ()
    """Of the handler or the backend."""


class LaneExpect(Strict):
    """``[lanes.expect]``: what is not said may be as it likes. Where several words are given one of them must be
    so; of a link (by its text in ``middleware``) all of them."""

    verdict: Verdict = ()
    """The word for the whole lane."""
    caller: DoneAndCleanup = DoneAndCleanup()
    """Marks of the calling task."""
    client: DoneAndCleanup = DoneAndCleanup()
    """Marks of the library."""
    wire: OnlyInterrupt = OnlyInterrupt()
    """The mark of the tap."""
    server: DoneAndCleanup = DoneAndCleanup()
    """Marks of the handler or the backend."""
    resource: OnlyCleanup = OnlyCleanup()
    """The mark of the stream, pool slot or connection."""
    order: Orders = ()
    """Marks of this lane in the order of their times, like "client.done < wire.interrupt"."""
    machine: Machines = Machines()
    """Where the state machines of both sides ended."""
    outcome: Outcomes = Outcomes()
    """How the work of a layer ended."""
    zombie: Zombie | None = None
    """How long the server worked on for nobody, like ">= 500ms"; "none": it did not."""
    zombie_bytes: Count | None = None
    """What it sent in that time."""
    residue: Residue | None = None
    """What is held when the run has settled: "none", or by name a count, "present" or "absent"."""
    others: Others = Field(default_factory=dict)
    """How the other requests of the lane's client ended, by role, like "failed PoolTimeout" or "completed 200"."""
    chunks: Relations = ()
    """Relations of the counters accepted, on_wire and read, like "accepted >= read" or "read == 0"."""
    swallowed: Count | None = None
    """Cancels that the handler heard and did not act on."""
    links: dict[str, Effects] = Field(default_factory=dict)
    """What each link of the middleware did to the signal: all the words that are given."""

    @model_validator(mode="after")
    def _fits(self) -> LaneExpect:
        for line in self.order:
            if wrong := [path for path in line.paths if path not in MARKS]:
                raise Misfit(f"a lane has no mark {wrong[0]!r}: it has {listed(MARKS)}", "order")
        return self

    def wanted(self) -> Iterator[tuple[str, tuple[Term, ...]]]:
        """(path, terms) of the marks of which something is said."""
        for path in MARKS:
            layer, moment = path.split(".")
            if terms := getattr(getattr(self, layer), moment):
                yield path, terms


class Skew(Strict):
    """Largest minus smallest over the lanes, of the client's Done, the wire's interrupt, the resource's cleanup."""

    done: TimeBounds = ()
    """Of the clients' Done."""
    interrupt: TimeBounds = ()
    """Of the wires' interrupts."""
    cleanup: TimeBounds = ()
    """Of the resources' cleanups."""


class RunExpect(Strict):
    """``[expect]``: what holds between the lanes."""

    skew: Skew = Skew()
    """Largest minus smallest over the lanes, like "<= 50ms"."""
    order: Orders = ()
    """Marks of different lanes in the order of their times, like "grpc.client.done < postgres.client.done"."""
    leaked: Residue | None = None
    """What all processes hold more after the run than before it: "none", or by name a count or a word."""
    violations: Count = Field(default_factory=lambda: count_bound(0))
    """Steps that the state machine does not know: a number, or like ">= 1"."""

    def strangers(self, lanes: list[str]) -> Iterator[Misfit]:
        """Orders whose paths are no mark of one of these lanes."""
        for line in self.order:
            for path in line.paths:
                lane, mark = split(path)
                if lane not in lanes or mark not in MARKS:
                    names = listed(lanes)
                    text = f"{path!r} is no mark: write LANE.client.done with one of the lanes {names}"
                    yield Misfit(text, "expect", "order")


def split(path: str) -> tuple[str, str]:
    """``http/1.1.client.done`` into lane and mark: names of lanes may hold dots."""
    parts = path.rsplit(".", 2)
    return (parts[0], ".".join(parts[1:])) if len(parts) == 3 else ("", path)
