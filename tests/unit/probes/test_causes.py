"""From a mark back to what caused it, protocol by protocol; and in which order marks are walked through."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from probes import events as ev
from probes.causes import Thread, thread
from probes.events import TO_CLIENT, Event, Layer
from probes.fold import fold
from probes.moments import before, spots, tie, ties
from probes.state import LaneState, Mark, Moment
from tests.kit import console_kit as kit
from tests.kit.story import Story, plan

D, I, C = Moment.DONE, Moment.INTERRUPT, Moment.CLEANUP  # noqa: E741


def lane_of(events: Iterable[Event], name: str) -> LaneState:
    lane = fold(event for event in events if event.run).lane(name)
    assert lane is not None
    return lane


def thread_of(lane: LaneState, layer: Layer, moment: Moment, *, last: bool = False) -> Thread:
    row = lane.layer(layer)
    mark = row.last(moment) if last else row.first(moment)
    assert mark is not None
    return thread(lane, layer, mark)


def path(found: Thread) -> list[str]:
    return [layer for layer, _ in found.knots]


@pytest.mark.parametrize(
    ("lane", "layer", "moment", "expected"),
    [
        ("grpc", "caller", D, ["caller"]),
        ("grpc", "client", D, ["client", "caller"]),
        ("grpc", "wire", I, ["wire", "client", "caller"]),
        ("grpc", "server", D, ["server", "wire", "client", "caller"]),
        ("grpc", "server", C, ["server", "server", "wire", "client", "caller"]),
        ("grpc", "resource", C, ["resource", "wire", "client", "caller"]),
        ("http/1.1", "resource", C, ["resource", "wire", "client", "caller"]),
        ("http/2", "client", D, ["client", "caller"]),
        ("postgres", "server", D, ["server", "wire", "caller"]),
        ("postgres", "resource", C, ["resource", "server", "server", "wire", "caller"]),
    ],
)
def test_each_mark_leads_back_to_the_key(lane: str, layer: Layer, moment: Moment, expected: list[str]) -> None:
    found = thread_of(lane_of(kit.settled(), lane), layer, moment)
    assert path(found) == expected
    assert (found.end, found.whole) == ("key", True)


def test_a_backends_answer_followed_from_the_request_to_cancel() -> None:
    found = thread_of(lane_of(kit.settled(), "postgres"), "wire", I, last=True)
    assert [mark.evidence.split()[1] for layer, mark in found.knots if layer == "wire"] == [
        "ErrorResponse",
        "CancelRequest",
    ]


def test_where_nothing_was_seen_on_the_wire_the_news_ends() -> None:
    assert thread_of(lane_of(kit.settled(), "http/2"), "client", D).stops == ("wire", "nothing was seen on the wire")
    assert thread_of(lane_of(kit.cancelled(), "http/2"), "client", D).stops is None, "it may still come"
    assert thread_of(lane_of(kit.settled(), "grpc"), "client", D).stops is None


def test_a_timer_of_the_client_comes_before_its_callers_done() -> None:
    found = thread_of(lane_of(kit.timed_out(), "http/1.1"), "caller", D)
    assert path(found) == ["caller", "client"]
    assert found.end == "httpx read timeout"


def aborted(**fields: object) -> LaneState:
    """The server ends the call: its frame is first, then the client hears."""
    story = Story("grpc")
    lane = plan("grpc", **fields)
    story(ev.RunStarted, -9_000, lane="", scenario="s", title="t", lanes=(lane,))
    story(ev.SpanStarted, -8_000, layer="server", span=9, name="handler")
    story(ev.Trigger, 0, lane="", cause="key")
    story(
        ev.FrameSeen,
        300,
        layer="wire",
        conn=1,
        direction=TO_CLIENT,
        proto="http/2",
        name="RST_STREAM",
        code="CANCEL(8)",
    )
    story(ev.SpanFailed, 500, layer="server", span=9, name="handler", error="AbortError")
    story(ev.SpanFailed, 900, layer="client", span=2, name="call", error="AioRpcError")
    return lane_of(story.events, "grpc")


def test_an_end_that_the_server_makes_goes_up_to_the_client() -> None:
    lane = aborted(cause="server abort")
    assert path(thread_of(lane, "client", D)) == ["client", "wire"]
    assert thread_of(lane, "server", D) == Thread((("server", lane.layer("server").marks[0]),), "key", True)


def test_a_server_that_knew_by_itself_is_no_guess_at_a_cause() -> None:
    found = thread_of(aborted(), "server", D)
    assert (path(found), found.whole) == (["server"], False)
    assert "no frame came before it" in found.end


# --- order ----------------------------------------------------------------------------------------------


def test_moments_are_walked_through_by_time_over_all_lanes() -> None:
    run = fold(event for event in kit.settled() if event.run)
    found = spots(run)
    assert [spot.mark.t for spot in found] == sorted(spot.mark.t for spot in found)
    assert len(found) == sum(len(row.marks) for lane in run.lanes for row in lane.layers)
    previous = before(found[-1], found)
    assert before(found[0], found) is None
    assert previous is not None
    assert previous.lane == found[-1].lane


def mark(us: float, err: float = 0) -> Mark:
    return Mark(Moment.DONE, round(us * 1000), round(err * 1000), "")


@pytest.mark.parametrize(
    ("one", "other", "tied"),
    [
        (("client", mark(0)), ("wire", mark(60)), True),
        (("client", mark(0)), ("wire", mark(91)), False),
        (("client", mark(0, 100)), ("wire", mark(110, 20)), True),
        (("caller", mark(0)), ("client", mark(1)), False),
        (("wire", mark(0, 20)), ("wire", mark(30, 20)), True),
        (("wire", mark(0, 20)), ("wire", mark(50, 20)), False),
    ],
)
def test_two_marks_nearer_than_the_calibration_are_a_tie(
    one: tuple[Layer, Mark], other: tuple[Layer, Mark], tied: bool
) -> None:
    assert tie(one, other, 91_000) is tied
    assert tie(other, one, 91_000) is tied


def test_a_lane_says_which_of_its_marks_are_ties() -> None:
    lane = lane_of(kit.settled(), "http/1.1")
    found = ties(lane, 200_000)
    assert [layer for layer, _ in found] == ["resource"]
    assert ties(lane, 0) == {}
