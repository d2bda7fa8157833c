"""The player's controls, with times that can be checked by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.events import CALL, Event, LabReady, RunEnded, RunStarted, Signal, SpanCancelled, Trigger
from probes.part import REST, SLOW, loop_part, slow_part
from probes.replay import SPEEDS, Player
from tests.kit.random_runs import runs
from tests.kit.story import plan

MS = 1_000_000
S = 1000 * MS


def session() -> list[Event]:
    """The lab is ready at 0; run 1 from 10 s to 11 s, run 2 from 20 s to 21 s, each with marks 500 and 502 ms in."""
    events: list[Event] = [LabReady(t=0, err=0, src="lab", seq=1, versions={"a": "1"}, addresses={})]
    for run, begin in ((1, 10 * S), (2, 20 * S)):
        head = {"err": 0, "src": "lab", "run": run}
        lane = {**head, "lane": "grpc"}
        events += [
            RunStarted(t=begin, seq=run * 10, scenario="s", title="t", lanes=(plan("grpc"),), **head),
            Trigger(t=begin + 500 * MS, seq=run * 10 + 1, cause="key", **head),
            Signal(t=begin + 500 * MS, seq=run * 10 + 2, layer="caller", cause="key", **lane),
            SpanCancelled(
                t=begin + 502 * MS, seq=run * 10 + 3, layer="client", span=1, name=CALL, error="CancelledError", **lane
            ),
            RunEnded(t=begin + S, seq=run * 10 + 4, outcome="settled", **head),
        ]
    return events


def test_it_begins_at_the_start_and_shows_what_was_there() -> None:
    player = Player(session(), header={"created": "then"}, notes=("cut",))
    assert (player.start, player.end, player.position, player.run) == (0, 21 * S, 0, 0)
    assert (player.runs, player.header, player.notes) == ((1, 2), {"created": "then"}, ("cut",))
    assert player.log.session.ready
    assert player.log.runs == ()
    assert not player.playing


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="no events"):
        Player([])


def test_steps_go_from_mark_to_mark_over_the_runs_and_pause() -> None:
    player = Player(session())
    player.toggle()
    seen = []
    for _ in range(5):
        player.step(+1)
        seen.append((player.run, player.position - player.run_start(player.run)))
    assert seen == [(1, 500 * MS), (1, 502 * MS), (2, 500 * MS), (2, 502 * MS), (2, 502 * MS)]
    assert not player.playing
    player.step(-1)
    player.step(-1)
    assert (player.run, player.position) == (1, 10 * S + 502 * MS)
    assert player.moments(1) == (10 * S + 500 * MS, 10 * S + 502 * MS)


def test_going_back_before_a_run_takes_it_away() -> None:
    player = Player(session())
    player.seek(player.end)
    assert set(player.log.runs) == {1, 2}
    player.seek(15 * S)
    assert set(player.log.runs) == {1}
    assert player.log.run(1).outcome == "settled"
    player.seek(10 * S + 501 * MS)
    assert player.log.run(1).open
    player.seek(-5)
    assert (player.position, player.log.runs) == (0, ())


def test_slow_motion_carries_what_is_less_than_a_nanosecond() -> None:
    player = Player(session())
    player.seek(10 * S)
    player.set_speed(Fraction(1, 1000))
    player.toggle()
    for _ in range(1000):
        player.advance(1_500)
    assert player.position == 10 * S + 1_500


def test_speeds_are_steps_with_ends() -> None:
    player = Player(session())
    assert player.speed == 1
    for _ in range(20):
        player.slower()
    assert player.speed == SPEEDS[0] == Fraction(1, 1000)
    for _ in range(20):
        player.faster()
    assert player.speed == SPEEDS[-1] == 10
    with pytest.raises(ValueError, match="no such speed: 3"):
        player.set_speed(Fraction(3))


def test_idle_time_between_runs_is_skipped_and_counted() -> None:
    player = Player(session())
    player.seek(10 * S + 900 * MS)
    player.toggle()
    player.advance(300 * MS)
    assert (player.position, player.skipped_ns) == (11 * S + 200 * MS, 0)
    player.advance(100 * MS)
    # A quarter of a second after run 1 it jumps to a quarter of a second before run 2.
    assert player.skipped_ns == 8_500 * MS
    assert player.position == 20 * S - 200 * MS
    player.advance(200 * MS)
    assert player.position == 20 * S
    assert player.run == 2


def test_in_slow_motion_the_edges_of_a_gap_are_as_long_to_watch() -> None:
    player = Player(session())
    player.seek(11 * S)
    player.set_speed(Fraction(1, 10))
    player.toggle()
    player.advance(500 * MS)
    assert (player.position, player.skipped_ns) == (20 * S, 9 * S - 50 * MS)


def test_nothing_is_skipped_inside_a_run_and_nothing_while_paused() -> None:
    player = Player(session())
    player.seek(10 * S)
    player.advance(S)
    assert player.position == 10 * S
    player.toggle()
    player.advance(500 * MS)
    assert (player.position, player.skipped_ns) == (10 * S + 500 * MS, 0)


def test_playing_ends_at_the_end_and_begins_again_at_the_start() -> None:
    player = Player(session())
    player.seek(player.end - 10)
    player.toggle()
    player.advance(S)
    assert (player.position, player.playing) == (player.end, False)
    player.toggle()
    assert (player.position, player.playing) == (player.start, True)


def test_a_run_in_slow_motion_begins_before_its_trigger_and_leaves_out_what_is_quiet() -> None:
    player = Player(session())
    zero, end = 10 * S + 500 * MS, 11 * S
    part = slow_part(player.log.outline(1), player.end)
    assert part is not None
    player.set_speed(SLOW)
    player.play(part)
    assert player.position == zero - 15 * MS
    player.advance(1_700 * MS)
    assert (player.position, player.skip) == (zero + 2 * MS, None)
    # 498 ms without anything: 12 ms after the last mark and 8 ms before the end are played.
    player.advance(1_300 * MS)
    assert player.position == end - 7 * MS
    assert player.skip == (zero + 14 * MS, end - 8 * MS)
    player.advance(10 * S)
    assert (player.position, player.playing) == (end, False)
    player.step(+1)
    assert player.position == end, "the next run is no part of it"
    player.toggle()
    assert (player.position, player.playing, player.skip) == (zero - 15 * MS, True, None)


def test_slow_motion_of_a_run_that_still_goes_on_ends_where_the_session_does() -> None:
    events = session()[:-1]
    part = slow_part(Player(events).log.outline(2), events[-1].t)
    assert part is not None
    assert part.last == events[-1].t


def test_a_loop_rests_at_both_of_its_ends() -> None:
    player = Player(session())
    zero = 10 * S + 500 * MS
    part = loop_part(player.log.outline(1))
    assert part is not None
    assert (part.first, part.last) == (zero, zero + 2 * MS)
    player.set_speed(SLOW)
    player.play(part)
    seen = []
    for wall in (REST - 1, 1, 100 * MS, 200 * MS, REST - 1, 1, REST, 50 * MS):
        player.advance(wall)
        seen.append(player.position - zero)
    assert seen == [0, 0, 1 * MS, 2 * MS, 2 * MS, 0, 0, MS // 2]
    assert player.playing


def test_a_loop_of_a_section_is_that_section() -> None:
    run = Player(session()).log.outline(1)
    part = loop_part(run, (10 * S + 400 * MS, 10 * S + 501 * MS))
    assert part is not None
    assert (part.first, part.last, part.loop) == (10 * S + 400 * MS, 10 * S + 501 * MS, True)
    assert loop_part(run, (5, 5)) is None


def test_a_run_without_a_trigger_has_no_slow_motion_and_no_loop() -> None:
    untouched = [event for event in session() if not isinstance(event, Trigger | Signal | SpanCancelled)]
    run = Player(untouched).log.outline(1)
    assert slow_part(run, untouched[-1].t) is None
    assert loop_part(run) is None


@settings(max_examples=40, deadline=None)
@given(events=runs(), wall=st.integers(1 * MS, 5 * S), speed=st.sampled_from(SPEEDS))
def test_slow_motion_of_any_run_comes_to_its_end_and_skips_nothing_that_happens(
    events: list[Event], wall: int, speed: Fraction
) -> None:
    player = Player(events)
    number = player.runs[-1]
    run = player.log.outline(number)
    part = slow_part(run, player.end, speed)
    if part is None:
        return
    happens = {mark.t for lane in run.lanes for row in lane.layers for mark in row.marks}
    happens |= {step.t for lane in run.lanes for side in (lane.client, lane.server) for step in side.path}
    player.set_speed(speed)
    player.play(part)
    seen = [player.position]
    while player.playing and len(seen) < 10_000:
        player.advance(wall)
        seen.append(player.position)
        assert player.skip is None or not any(player.skip[0] < t < player.skip[1] for t in happens)
    assert seen == sorted(seen)
    assert not player.playing or wall * speed < (part.last - part.first) / 9_000
