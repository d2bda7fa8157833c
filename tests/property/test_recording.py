"""Recording and replay: nothing is lost, and every way to a position shows the same."""

from __future__ import annotations

import contextlib
import gzip
import tempfile
from fractions import Fraction
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.archive import Held
from probes.codec import encode
from probes.events import Event
from probes.fold import fold, fold_session, order_key
from probes.index import Index
from probes.record import Recorder, RecordingError, read
from probes.replay import SPEEDS, Player
from probes.state import Moment, SessionState
from probes.verdict import skew
from tests.kit.random_runs import sessions

HEADER = b'{"format":"cancelloscope","version":1}\n'


@given(sessions(), st.booleans(), st.data())
def test_what_was_recorded_is_what_is_read_however_it_was_cut(
    events: list[Event], packed: bool, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        recorder = Recorder(path, {"created": "now"})
        for event in events:
            recorder.write(encode(event) + b"\n")
        recorder.close()
        whole = path.read_bytes()
        cut = data.draw(st.integers(whole.index(b"\n") + 1, len(whole)))
        path.write_bytes(gzip.compress(whole[:cut]) if packed else whole[:cut])
        recording = read(path)
        back = list(recording.events)
    # The header is a line too.
    assert back == events[: whole[:cut].count(b"\n") - 1]
    assert (recording.truncated is None) == whole[:cut].endswith(b"\n")
    assert recording.unreadable == 0


@given(sessions(), st.booleans(), st.data())
def test_an_index_over_the_file_is_the_archive_of_its_events(
    events: list[Event], packed: bool, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(events))
    whole = HEADER + b"".join(encode(event) + b"\n" for event in shuffled)
    cut = data.draw(st.integers(len(HEADER), len(whole)))
    kept = shuffled[: whole[:cut].count(b"\n") - 1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_bytes(gzip.compress(whole[:cut]) if packed else whole[:cut])
        if not kept:
            with pytest.raises(RecordingError, match=r"after 0 events|holds no events"):
                Index(path)
            return
        with Index(path) as index:
            held = Held(kept)
            assert (index.whole, list(index.session)) == (held.whole, held.session)
            assert dict(index.spans) == dict(held.spans)
            for run in held.spans:
                assert list(index.events(run)) == held.events(run)
                assert list(index.edges(run)) == held.edges(run)
            assert (index.notes == ()) == whole[:cut].endswith(b"\n")


@given(sessions())
def test_an_outline_has_the_marks_and_the_outcome_of_the_whole(events: list[Event]) -> None:
    player = Player(events)
    player.seek(player.end)
    for number in player.runs:
        whole, outline = player.log.run(number), player.log.outline(number)
        assert [[row.marks for row in lane.layers] for lane in outline.lanes] == [
            [row.marks for row in lane.layers] for lane in whole.lanes
        ]
        assert (outline.outcome, outline.ended, outline.zero) == (whole.outcome, whole.ended, whole.zero)
        assert [skew(outline, moment) for moment in Moment] == [skew(whole, moment) for moment in Moment]
        assert player.log.past(number) == outline


OPERATIONS = st.one_of(
    st.tuples(st.just("seek"), st.floats(-0.1, 1.1)),
    st.tuples(st.just("step"), st.sampled_from((-1, 1))),
    st.tuples(st.just("advance"), st.sampled_from((0, 1, 16_666_667, 100_000_000, 3_000_000_000))),
    st.tuples(st.sampled_from(("toggle", "faster", "slower")), st.none()),
    st.tuples(st.just("set_speed"), st.sampled_from(SPEEDS)),
)


def _do(player: Player, name: str, argument: object) -> None:
    if name == "seek":
        assert isinstance(argument, float)
        player.seek(player.start + round((player.end - player.start) * argument))
    elif argument is None:
        getattr(player, name)()
    else:
        getattr(player, name)(argument)


def _shows(player: Player, events: list[Event]) -> None:
    """The log is the fold of exactly the events up to the position."""
    past = [event for event in events if event.t <= player.position]
    assert player.log.session == reduce(fold_session, past, SessionState())
    assert set(player.log.runs) == {event.run for event in past if event.run}
    for number in player.log.runs:
        assert player.log.run(number) == fold(event for event in past if event.run == number)


@given(sessions(), st.lists(OPERATIONS, max_size=12), st.booleans())
def test_any_way_to_a_position_shows_the_same(
    events: list[Event], operations: list[tuple[str, object]], from_file: bool
) -> None:
    backwards = sorted(events, key=order_key, reverse=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as files:
        path = Path(folder) / "a.jsonl"
        path.write_bytes(HEADER + b"".join(encode(event) + b"\n" for event in backwards))
        player = Player(files.enter_context(Index(path)) if from_file else backwards)
        _shows(player, events)
        for name, argument in operations:
            before = player.position
            _do(player, name, argument)
            assert player.start <= player.position <= player.end
            assert name != "advance" or player.position >= before
            _shows(player, events)


@given(sessions())
def test_stepping_forward_meets_every_mark_once_and_back_again(events: list[Event]) -> None:
    player = Player(events)
    marks = sorted(
        {
            mark.t
            for number in player.runs
            for lane in fold(event for event in events if event.run == number).lanes
            for row in lane.layers
            for mark in row.marks
        }
        - {player.start}
    )
    met = []
    while (before := player.position) is not None:
        player.step(+1)
        if player.position == before:
            break
        met.append(player.position)
    assert met == marks
    player.seek(player.end)
    back = [player.position] if player.position in marks else []
    while (before := player.position) is not None:
        player.step(-1)
        if player.position == before:
            break
        back.append(player.position)
    assert [t for t in reversed(back) if t != player.start] == marks


@given(sessions(), st.lists(st.integers(0, 50_000_000), max_size=20), st.sampled_from(SPEEDS))
def test_how_finely_time_is_cut_does_not_matter(events: list[Event], ticks: list[int], speed: Fraction) -> None:
    fine, coarse = Player(events), Player(events)
    for player in (fine, coarse):
        player.set_speed(speed)
        player.toggle()
    for tick in ticks:
        fine.advance(tick)
    coarse.advance(sum(ticks))
    assert abs(fine.position - coarse.position) <= len(ticks)
