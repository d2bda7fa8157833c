"""What stands between an HTTP call and its caller, as a transport round the transport of httpx: what became of the
cancel at each link, in the head of the response and in its body, and what wire and server saw.

On HTTP/1.1 whoever lets the cancel through hangs up. On HTTP/2 httpx resets no stream, whatever the links do.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from probes.events import LanePlan, SpanCompleted, Trigger
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, SWALLOWED, ZOMBIE
from tests.kit.http_lanes import HTTP, done, evidence, in_phase, said, wire
from tests.kit.lab_kit import Lab, Ran, lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

GONE = r"client>server (FIN|RST)"
RST_STREAM = "client>server RST_STREAM CANCEL(8)"
LOST = {"pool slots": 1, "requests": 1}
DETACHED = ("shield", "independent")
CANCELLED, COMPLETED = ["cancelled"] * 3, ["completed"] * 3


def behind(protocol: str, name: str, *links: str, **fields: Any) -> list[LanePlan]:
    """A lane in the head of the response and one in its body."""
    both = {"middleware": list(links), **fields}
    return [
        lane(protocol, "response headers", name=f"{name} head", delay="1500ms", **both),
        lane(protocol, "response body", name=f"{name} body", chunks=120, interval="10ms", **both),
    ]


def effects(found: LaneState) -> list[tuple[str, str]]:
    return [(each.name, each.effect) for each in found.links]


def outcomes(found: LaneState) -> list[str]:
    return [found.layer(layer).outcome for layer in ("caller", "client", "server")]


def answered(ran: Ran, name: str) -> list[str]:
    """What the client says of a call that is complete to it."""
    return [span.evidence for span in ran.of(SpanCompleted, name) if span.layer == "client"]


@pytest.mark.parametrize("protocol", HTTP)
async def test_each_kind_of_link(lab: Lab, protocol: str) -> None:
    kinds = ("pass", *DETACHED, "swallow", "drop-deadline")
    plans = [plan for kind in kinds for plan in behind(protocol, kind, "pass", kind, timeouts={"read": "30s"})]
    ran = await lab.cancelled(*plans, settle=3.0)
    found = in_phase(ran)
    for part in ("head", "body"):
        let_through(found[f"pass {part}"], [("pass", "passed")] * 2)
        dropped = [("drop-deadline", "weakened"), ("drop-deadline", "passed"), ("pass", "passed")]
        let_through(found[f"drop-deadline {part}"], dropped)
        for kind in DETACHED:
            goes_on(found[f"{kind} {part}"], kind)
        swallowed(found[f"swallow {part}"], answered(ran, f"swallow {part}"))


def let_through(found: LaneState, expected: list[tuple[str, str]]) -> None:
    assert effects(found) == expected
    assert done(found) == "CancelledError"
    if found.plan.protocol == "http/1.1":
        assert re.fullmatch(GONE, wire(found))
        assert outcomes(found) == CANCELLED
        assert said(found) == (CLEAN, {})
    else:
        assert wire(found) == ""
        assert outcomes(found) == ["cancelled", "cancelled", "completed"]
        assert said(found) == (ZOMBIE, {})


def goes_on(found: LaneState, kind: str) -> None:
    """A body is read to its end; a head that comes now is nobody's, and its response is never closed."""
    weakened = [(kind, "weakened")] if kind == "independent" else []
    assert effects(found) == [*weakened, (kind, "died"), ("pass", "passed")]
    assert done(found) == "CancelledError"
    assert wire(found) == evidence(found, "server", Moment.DONE) == ""
    assert outcomes(found) == ["cancelled", "cancelled", "completed"]
    assert said(found) == (ZOMBIE, LOST if found.name.endswith("head") else {})
    if found.name.endswith("body"):
        assert found.chunks.accepted == found.chunks.on_wire == found.plan.chunks
        assert (found.chunks.read or 0) < found.plan.chunks


def swallowed(found: LaneState, says: list[str]) -> None:
    """The library did what it does when it is cancelled, and its caller takes what it gets for a response."""
    assert effects(found) == [("swallow", "died")]
    end = ", empty: no answer of the server's" if found.name.endswith("head") else ", cut short by a link"
    assert says == [f"200{end}"]
    if found.plan.protocol == "http/1.1":
        assert re.fullmatch(GONE, wire(found))
        assert outcomes(found) == ["completed", "completed", "cancelled"]
        assert said(found) == (SWALLOWED, {})
    else:
        assert outcomes(found) == COMPLETED
        assert said(found) == (ZOMBIE, {})


async def test_a_limit_grows_and_a_dropped_timeout_never_comes(lab: Lab) -> None:
    limit = "add-timeout:600ms"
    limited = [plan for protocol in HTTP for plan in behind(protocol, protocol[-1], limit, "pass")]
    timer: dict[str, Any] = {"cause": "read timeout", "timeouts": {"read": "200ms"}, "delay": "500ms"}
    dropped = lane("http/1.1", "response headers", name="dropped", middleware=["drop-deadline"], **timer)
    ran = await lab.ended(lab.fire(*limited, dropped, settle=3.0))
    for plan in limited:
        found = ran.lane(plan.lane)
        (trigger,) = ran.of(Trigger, plan.lane)
        assert trigger.cause == limit
        assert effects(found) == [("pass", "passed"), (limit, "grew")]
        assert outcomes(found)[:2] == ["failed", "failed"]
        assert done(found).startswith("TimeoutError")
        assert said(found) == (CLEAN if plan.protocol == "http/1.1" else ZOMBIE, {})
    assert effects(ran.lane("dropped")) == [("drop-deadline", "weakened")]
    assert ran.lane("dropped").zero is None
    assert outcomes(ran.lane("dropped")) == COMPLETED


async def test_other_clients_stand_behind_the_same_links(lab: Lab) -> None:
    plans = [
        *behind("http/2", "reset", "pass", options={"reset": True}),
        *behind("http/2", "reset swallow", "swallow", options={"reset": True}),
        *behind("http/1.1", "httpx2", "swallow", options={"client": "httpx2"}),
        *behind("http/1.1", "anyio", "pass", options={"edge": "anyio"}),
        *behind("http/1.1", "tls", "pass", tls=True),
    ]
    found = in_phase(await lab.cancelled(*plans, settle=3.0))
    for part in ("head", "body"):
        assert wire(found[f"reset {part}"]) == wire(found[f"reset swallow {part}"]) == RST_STREAM
        assert said(found[f"reset {part}"]) == (CLEAN, {})
        for name in ("reset swallow", "httpx2"):
            assert effects(found[f"{name} {part}"]) == [("swallow", "died")]
            assert outcomes(found[f"{name} {part}"]) == ["completed", "completed", "cancelled"]
        for name in ("reset", "anyio", "tls"):
            assert effects(found[f"{name} {part}"]) == [("pass", "passed")]
            assert outcomes(found[f"{name} {part}"]) == CANCELLED


async def test_what_a_shield_holds_the_next_request_waits_for(lab: Lab) -> None:
    """A request round which a shield stood has the pool's only slot for ever; a body gives it back at its end. Closing
    the client ends both: no link is round that."""
    one: dict[str, Any] = {"options": {"pool_size": 1, "follow_up": 1}}
    closed = behind("http/1.1", "closed", "shield", cause="client.aclose")
    found = in_phase(await lab.cancelled(*behind("http/1.1", "next", "shield", **one), *closed, settle=4.0))
    assert (found["next head"].others["follow-up"].outcome, said(found["next head"])) == ("failed", (ZOMBIE, LOST))
    assert found["next head"].others["follow-up"].evidence.startswith("PoolTimeout")
    assert found["next body"].others["follow-up"].evidence.startswith("200")
    for part in ("head", "body"):
        assert done(found[f"closed {part}"]).startswith("ReadError")
        assert re.fullmatch(GONE, wire(found[f"closed {part}"]))
        assert effects(found[f"closed {part}"]) == []
