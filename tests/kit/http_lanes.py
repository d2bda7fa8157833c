"""Plans for the HTTP lanes by cell (protocol, phase, cause), and what is read off a lane that was there."""

from __future__ import annotations

from typing import Any

from probes.catalogue import CAUSES, TIMERS, cells
from probes.events import LanePlan
from probes.state import LaneState, Moment
from probes.verdict import verdict
from tests.kit.lab_kit import Ran, lane

TIMER = "900ms"
"""Long enough to be in the phase on a busy machine."""
HTTP = ("http/1.1", "http/2")
CELLS = [(protocol, phase, cause) for protocol, phase, cause, why in cells() if protocol in HTTP and not why]
"""Every pair that is possible."""

_HELD: dict[str, dict[str, Any]] = {
    "DNS": {"delay": "30s"},
    "TLS handshake": {"tls": True},
    "request body": {"interval": "10ms"},
    "response headers": {"delay": "30s"},
    "response body": {"interval": "10ms"},
}


def cell(protocol: str, phase: str, cause: str = "task.cancel", **fields: Any) -> LanePlan:
    """A lane in ``phase``, called by it, that ``cause`` can reach."""
    plan: dict[str, Any] = {"name": phase, "cause": cause, **_HELD.get(phase, {})}
    if cause in TIMERS:
        plan["timeouts"] = {TIMERS[cause]: TIMER}
    if (phase, cause) == ("response body", "read timeout"):
        plan["interval"] = "30s"
    return lane(protocol, phase, **{**plan, **fields})


def in_every_phase(protocol: str, cause: str) -> list[LanePlan]:
    """A lane for each phase in which ``cause`` can come."""
    assert cause in CAUSES[protocol]
    return [cell(*each) for each in CELLS if each[0] == protocol and each[2] == cause]


def said(found: LaneState) -> tuple[str, dict[str, int]]:
    """Verdict and residue."""
    return verdict(found, found.teardown or 0), {name: count for name, count in found.residue.items() if count}


def evidence(found: LaneState, layer: str, moment: Moment) -> str:
    """Of the last such mark; empty where it did not come."""
    mark = found.layer(layer).last(moment)  # type: ignore[arg-type]
    return "" if mark is None else mark.evidence


def done(found: LaneState) -> str:
    return evidence(found, "client", Moment.DONE)


def wire(found: LaneState) -> str:
    return evidence(found, "wire", Moment.INTERRUPT)


def in_phase(ran: Ran) -> dict[str, LaneState]:
    """The run's lanes by name, each of which was in its phase when it was cancelled."""
    assert ran.state.outcome == "settled", ran.state.detail
    for found in ran.state.lanes:
        assert found.zero is not None, found.name
        assert found.reached is not None, found.name
        assert found.reached <= found.zero.t, found.name
    return {found.name: found for found in ran.state.lanes}
