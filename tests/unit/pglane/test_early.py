"""A cancel that comes on the way to the phase: at each thing that the call does before it, the run settles at once."""

from __future__ import annotations

import pytest

from probes.events import TO_SERVER, Event, FrameSeen, SpanStarted
from probes.state import Moment
from probes.verdict import PHASE_MISSED, verdict
from servers.postgres import PgAddress
from tests.kit.pg_kit import LIMIT, on_uvloop
from tests.kit.pglane_kit import lanes, pg

WAYS = {
    "rows streaming": ("BEGIN", "Parse"),
    "cursor": ("BEGIN", "Parse"),
    "transaction": ("BEGIN", "Parse"),
    "statement executing": ("call", "Parse"),
}


def at(what: str, event: Event) -> bool:
    if what == "call":
        return isinstance(event, SpanStarted) and event.layer == "client"
    if not isinstance(event, FrameSeen) or event.direction != TO_SERVER:
        return False
    return event.name == what or (event.name == "Query" and event.detail.startswith(what))


@pytest.mark.parametrize(("phase", "what"), [(phase, what) for phase, ways in WAYS.items() for what in ways])
def test_a_cancel_on_the_way_is_not_waited_for(pg_server: PgAddress, phase: str, what: str) -> None:
    @on_uvloop
    async def test() -> None:
        async with lanes(pg_server) as bench:
            # The run would not be over within the test's limit if it waited for what does not come.
            ran = await bench.cancelled(pg(phase), settle=2 * LIMIT, once=lambda event: at(what, event), early=True)
        lane = ran.lane()
        assert ran.residue() == {}
        resource = lane.layer("resource")
        assert resource.started is None or resource.first(Moment.CLEANUP) is not None
        assert lane.phase or verdict(lane, ran.state.ended or 0) == PHASE_MISSED

    test()
