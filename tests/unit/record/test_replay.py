"""The player's controls, with times that can be checked by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from probes.events import CALL, Event, LabReady, RunEnded, RunStarted, Signal, SpanCancelled, Trigger
from probes.replay import SPEEDS, Player
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
