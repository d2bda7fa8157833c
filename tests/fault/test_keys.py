"""Faults on keys, on a real lab: they begin and end on the tap of their lane, and none is there in the next run."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app import commands
from probes.events import BytesSeen, FaultEnded, FaultHit, FaultPlan, FaultStarted
from tests.kit.lab_kit import Lab, lane, own_home, running

STREAM = lane("http/1.1", "response body")


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    with own_home():
        async with running() as lab:
            yield lab


def fault(lab: Lab, kind: str, **fields: str) -> None:
    lab.process.send(commands.Fault(lane="http/1.1", fault=FaultPlan(kind=kind, **fields)))  # type: ignore[arg-type]


async def test_a_freeze_stops_the_bytes_until_the_thaw(lab: Lab) -> None:
    run = lab.fire(STREAM)
    await lab.armed(run)
    fault(lab, "freeze")
    await lab.until(lambda: lab.of(FaultStarted, run))
    lab.process.send(commands.Clear(lane="http/1.1"))
    ended = (await lab.until(lambda: lab.of(FaultEnded, run)))[0]
    await lab.until(lambda: [seen for seen in lab.of(BytesSeen, run) if seen.t > ended.t])
    lab.cancel()
    ran = await lab.ended(run)
    begun = ran.of(FaultStarted)[0]
    assert [seen for seen in ran.of(BytesSeen) if begun.t < seen.t < ended.t] == []
    assert ended.detail.startswith("cleared: ")
    assert ran.printed("http/1.1")["verdict"] == "clean"


async def test_a_cut_is_the_taps_own_interrupt(lab: Lab) -> None:
    run = lab.fire(STREAM)
    await lab.armed(run)
    fault(lab, "cut", how="RST")
    ran = await lab.ended(run)
    assert [(hit.fault, hit.did, hit.what) for hit in ran.of(FaultHit)] == [("cut", "cut", "RST")]
    assert ran.lane("http/1.1").layer("client").outcome == "failed"


async def test_what_still_stands_ends_with_its_run(lab: Lab) -> None:
    run = lab.fire(STREAM, settle=0.3)
    await lab.armed(run)
    fault(lab, "black-hole")
    await lab.until(lambda: lab.of(FaultStarted, run))
    lab.cancel()
    ran = await lab.ended(run)
    assert len(ran.of(FaultEnded)) == 1
    assert (await lab.cancelled(STREAM)).printed("http/1.1")["verdict"] == "clean"


async def test_what_cannot_be_is_a_note_and_the_run_goes_on(lab: Lab) -> None:
    fault(lab, "freeze")
    await lab.until(lab.notes)
    assert lab.notes()[-1] == "no lane 'http/1.1' is open: nothing was disturbed"
    run = lab.fire(STREAM)
    await lab.armed(run)
    fault(lab, "flood")
    await lab.until(lambda: len(lab.notes()) > 1)
    assert lab.notes()[-1].startswith("http/1.1: no such fault: 'flood'; there are freeze, ")
    lab.cancel()
    assert (await lab.ended(run)).of(FaultStarted) == []
