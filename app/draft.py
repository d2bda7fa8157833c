"""Lanes that are being changed by hand: ``[[lanes]]`` tables as they would stand in a file, and what each can be.

Whether a table is right is decided by ``app.scenario`` alone. What is offered comes from ``probes.catalogue`` alone.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from probes import catalogue
from probes.events import FaultPlan, LanePlan
from probes.pairs import senseless
from probes.units import seconds_text

Table = Mapping[str, Any]
"""A ``[[lanes]]`` table as ``tomllib`` gives it."""
Path = tuple[str | int, ...]
"""Where a value stands in a table: keys, and numbers in arrays."""

FIRST_PHASES = {
    "grpc": "mid-stream",
    "http/1.1": "response body",
    "http/2": "response body",
    "postgres": "statement executing",
}
"""Where a call stands whose protocol was just chosen."""

TIMER = "400ms"
"""What the timer that is a lane's cause is set to."""
DELAY = "30s"
"""How long a phase lasts that lasts as long as the delay: longer than anybody waits with the key."""

_NEEDS: dict[str, Table] = {
    **{phase: {"delay": DELAY} for phase in catalogue.LASTING},
    "after the last chunk": {"delay": DELAY, "chunks": 5},
    "TLS handshake": {"tls": True},
}
"""Without which a phase is not reached, or does not last."""


# --- a lane as a table --------------------------------------------------------------------------------


def table_of(plan: LanePlan) -> Table:
    """The table that makes this plan; what is as usual is not in it."""
    usual = LanePlan(lane=plan.protocol, protocol=plan.protocol, phase=plan.phase)
    table: dict[str, Any] = {"protocol": plan.protocol, "phase": plan.phase, "cause": plan.cause}
    if plan.lane != plan.protocol:
        table["name"] = plan.lane
    if plan.shape:
        table["shape"] = plan.shape
    for key in ("behaviour", "tls", "after", "chunks", "size"):
        if getattr(plan, key) != getattr(usual, key):
            table[key] = getattr(plan, key)
    for key in ("delay", "interval"):
        if getattr(plan, key) != getattr(usual, key):
            table[key] = seconds_text(getattr(plan, key))
    parts = {
        "timeouts": {name: seconds_text(seconds) for name, seconds in plan.timeouts.items()},
        "middleware": list(plan.middleware),
        "faults": [_fault_table(fault) for fault in plan.faults],
        "options": dict(plan.options),
    }
    return table | {key: part for key, part in parts.items() if part}


def _fault_table(fault: FaultPlan) -> Table:
    table: dict[str, Any] = {"kind": fault.kind, "at": fault.at}
    if fault.seconds is not None:
        table["seconds"] = seconds_text(fault.seconds)
    return table | {key: getattr(fault, key) for key in ("direction", "rate", "how") if getattr(fault, key)}


def name_of(table: Table) -> str:
    return str(table.get("name") or table["protocol"])


def get(table: Table, path: Path) -> Any:
    """The value at ``path``; None where there is none."""
    value: Any = table
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(str(part))
        else:
            value = value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None
    return value


def put(table: Table, path: Path, value: Any) -> Table:
    """The table with ``value`` at ``path``; None takes it away, and what is empty afterwards goes with it."""
    changed: Table = _put(dict(table), path, value)
    return changed


def _put(inside: Any, path: Path, value: Any) -> Any:
    head, *rest = path
    if isinstance(head, int):
        items = list(inside or [])
        new = _put(items[head] if head < len(items) else {}, tuple(rest), value) if rest else value
        items[head : head + 1] = [] if new is None else [new]
        return items
    found = dict(inside or {})
    new = _put(found.get(head), tuple(rest), value) if rest else value
    if new is None or new in ({}, []):
        found.pop(head, None)
    else:
        found[head] = new
    return found


# --- changes that bring others with them --------------------------------------------------------------


def change(table: Table, path: Path, value: Any) -> Table:
    """``put``, and what a value needs to work: a phase its delay, a timer its timeout, a fault its figures."""
    if path == ("protocol",):
        return with_protocol(table, str(value))
    changed = put(table, path, value)
    if path in (("phase",), ("cause",)):
        return _provided(_cleared(table, changed), changed)
    if len(path) == 3 and path[0] == "faults" and path[2] == "kind" and value is not None:
        return put(changed, path[:2], _new_fault(str(value), get(table, path[:2]) or {}))
    if len(path) == 3 and path[0] == "faults" and path[2] == "kind":
        return put(table, path[:2], None)
    return changed


def with_protocol(table: Table, protocol: str) -> Table:
    """The same lane of another protocol, with as much of it as that knows."""
    phase, cause = table["phase"], table["cause"]
    if phase not in catalogue.PHASES[protocol]:
        phase = FIRST_PHASES[protocol]
    if cause not in catalogue.CAUSES[protocol] or catalogue.why_not(protocol, phase, cause):
        cause = "task.cancel"
    known: dict[str, Any] = {"protocol": protocol, "phase": phase, "cause": cause}
    for key in ("name", "behaviour", "after", "size", "interval", "middleware"):
        if key in table:
            known[key] = table[key]
    if table.get("tls") and protocol.startswith("http/"):
        known["tls"] = True
    if protocol == "postgres":
        known.pop("behaviour", None)
    faults = [fault for fault in table.get("faults", ()) if protocol == "postgres" or "cancel" not in fault["kind"]]
    known["faults"] = faults
    known["timeouts"] = _known(table.get("timeouts", {}), catalogue.TIMEOUTS[protocol])
    known["options"] = _known(table.get("options", {}), catalogue.OPTIONS[protocol])
    kept = {key: value for key, value in known.items() if value}
    return _provided(kept, kept)


def lane_of(protocol: str, phase: str, cause: str) -> Table:
    """A lane that is ended by this cause in this phase, with what both of them need."""
    table: Table = {"protocol": protocol, "phase": phase, "cause": cause}
    return _provided(table, table)


def _known(values: Table, names: Sequence[str] | Mapping[str, Any]) -> Table:
    return {name: value for name, value in values.items() if name in names}


def _cleared(before: Table, after: Table) -> Table:
    """Without what the phase and the cause before had needed: a delay would keep the next phase from being reached,
    a timer would be faster than the next cause."""
    table = after
    if before["phase"] != after["phase"]:
        for key in _NEEDS.get(before["phase"], {}):
            table = put(table, (key,), None)
    if before["cause"] != after["cause"] and (timer := catalogue.TIMERS.get(before["cause"])):
        table = put(table, ("timeouts", timer), None)
    return table


def _provided(table: Table, wanted: Table) -> Table:
    """With what its phase and its cause need."""
    for key, value in _NEEDS.get(wanted["phase"], {}).items():
        if key not in table and not (key == "delay" and table.get("faults")):
            table = put(table, (key,), value)
    timer = catalogue.TIMERS.get(wanted["cause"])
    if timer is not None and get(table, ("timeouts", timer)) is None:
        table = put(table, ("timeouts", timer), TIMER)
    shape = table.get("shape")
    if shape and catalogue.why_no_shape(shape, wanted["phase"], wanted["cause"]):
        table = put(table, ("shape",), None)
    return _sensible(table)


def _sensible(table: Table) -> Table:
    """Without options and middleware that would do nothing now."""
    plan = LanePlan(
        lane="",
        protocol=table["protocol"],
        phase=table["phase"],
        cause=table["cause"],
        shape=table.get("shape") or ("server stream" if table["protocol"] == "grpc" else ""),
        tls=table.get("tls", False),
        middleware=tuple(table.get("middleware", ())),
        options=table.get("options", {}),
    )
    for found in senseless(plan):
        table = put(table, found.path, None)
    return table


_FIGURES: dict[str, Table] = {
    "slow": {"rate": 1024},
    "cut": {"how": "RST"},
    "delay-cancel": {"seconds": "500ms"},
}
"""Without which a fault of a kind cannot be."""


def _new_fault(kind: str, before: Table) -> Table:
    """A fault of ``kind`` that begins where the one before did."""
    kept = {key: before[key] for key in ("at", "direction") if key in before}
    return {"kind": kind, "at": "phase", **kept, **_FIGURES.get(kind, {})}


# --- several of them ----------------------------------------------------------------------------------


def new_name(protocol: str, others: Iterator[str] | Sequence[str]) -> str | None:
    """A name that no other lane has; None where the protocol's own is free."""
    taken = set(others)
    if protocol not in taken:
        return None
    return next(name for number in range(2, 99) if (name := f"{protocol} {number}") not in taken)


def renamed(tables: Sequence[Table], number: int, protocol: str) -> Table:
    """Table ``number`` as a lane of ``protocol``; a name that only told the protocol follows it."""
    table = with_protocol(tables[number], protocol)
    before, _, count = name_of(tables[number]).rpartition(" ")
    if str(tables[number]["protocol"]) in (name_of(tables[number]), before if count.isdigit() else ""):
        others = [name_of(each) for index, each in enumerate(tables) if index != number]
        table = put(table, ("name",), new_name(protocol, others))
    return table
