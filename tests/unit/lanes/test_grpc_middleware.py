"""What stands between a gRPC call and its caller: what became of the cancel at each link, and what the server saw."""

from __future__ import annotations

import pytest

from probes.state import Moment
from probes.verdict import CLEAN, SWALLOWED, ZOMBIE, verdict
from tests.kit.grpc_lanes import FIRST, MID, evidence, in_phase
from tests.kit.lab_kit import Lab, lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHAPES = [("unary", FIRST), ("server stream", MID), ("client stream", MID), ("bidi", MID)]
RST = "client>server RST_STREAM CANCEL(8)"


def behind(*links: str, cause: str = "task.cancel") -> list[object]:
    return [
        lane(
            "grpc",
            phase,
            name=shape,
            shape=shape,
            cause=cause,
            middleware=list(links),
            chunks=150,
            interval="10ms",
            **({"delay": "1500ms"} if phase == FIRST else {}),
        )
        for shape, phase in SHAPES
    ]


async def test_a_link_that_awaits_passes_it_on(lab: Lab) -> None:
    ran = await lab.cancelled(*behind("pass", "pass"))
    for found in in_phase(ran):
        assert [(each.link, each.effect) for each in found.links] == [(2, "passed"), (1, "passed")]
        assert evidence(found, "wire", Moment.INTERRUPT) == RST
        assert verdict(found, ran.state.ended or 0) == CLEAN


@pytest.mark.parametrize("link", ["shield", "independent"])
async def test_a_shield_tells_the_caller_alone(lab: Lab, link: str) -> None:
    ran = await lab.cancelled(*behind(link), settle=10.0)
    for found in in_phase(ran):
        assert [(each.name, each.effect) for each in found.links] == [(link, "died")]
        assert evidence(found, "client", Moment.DONE) == "CancelledError"
        assert found.layer("wire").marks == ()
        assert found.layer("server").outcome == "completed"
        assert verdict(found, ran.state.ended or 0) == ZOMBIE
        assert found.residue == {}


async def test_behind_a_shield_the_calls_own_cancel_ends_nothing_either(lab: Lab) -> None:
    ran = await lab.cancelled(*behind("pass", "shield", cause="call.cancel"), settle=10.0)
    for found in in_phase(ran):
        assert {(each.name, each.effect) for each in found.links} == {("shield", "died"), ("pass", "passed")}
        assert found.layer("wire").marks == ()
        assert [found.layer(layer).outcome for layer in ("caller", "server")] == ["cancelled", "completed"]
        assert found.residue == {}


async def test_a_limit_that_nobody_asked_for_is_a_signal_of_its_links_own(lab: Lab) -> None:
    link = "add-timeout:400ms"
    ran = await lab.ended(lab.fire(*behind("pass", link)))
    for found in ran.state.lanes:
        assert [(each.name, each.effect) for each in found.links] == [(link, "grew")]
        assert found.zero is not None
        assert found.zero.cause == link
        assert evidence(found, "wire", Moment.INTERRUPT) == RST
        assert [found.layer(layer).outcome for layer in ("caller", "server")] == ["failed", "cancelled"]


async def test_one_that_swallows_resets_the_stream_and_hides_it(lab: Lab) -> None:
    ran = await lab.cancelled(*behind("swallow"))
    for found in in_phase(ran):
        assert [(each.name, each.effect) for each in found.links] == [("swallow", "died")]
        assert evidence(found, "wire", Moment.INTERRUPT) == RST
        assert [found.layer(layer).outcome for layer in ("caller", "client", "server")] == [
            "completed",
            "completed",
            "cancelled",
        ]
        assert verdict(found, ran.state.ended or 0) == SWALLOWED


async def test_a_dropped_deadline_never_comes(lab: Lab) -> None:
    plan = lane(
        "grpc",
        FIRST,
        shape="unary",
        cause="deadline",
        timeouts={"deadline": "300ms"},
        delay="600ms",
        middleware=["drop-deadline"],
    )
    ran = await lab.ended(lab.fire(plan))
    (found,) = ran.state.lanes
    assert [(each.name, each.effect) for each in found.links] == [("drop-deadline", "weakened")]
    assert found.zero is None
    assert [found.layer(layer).outcome for layer in ("caller", "client", "server")] == ["completed"] * 3
