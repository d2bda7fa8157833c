"""The laws of the folds: they are folds, they survive a recording, arrival order does not matter, nothing raises."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from probes.archive import Held
from probes.codec import decode, encode
from probes.events import Event
from probes.fold import SESSION_KINDS, fold, fold_run, fold_session, order_key
from probes.machine import TABLE, VIOLATIONS_KEPT, Input, Machine
from probes.runlog import RunLog, SessionLog
from probes.state import Moment, RunState, SessionState
from probes.verdict import headline, marks_in_order, offset, skew, verdict, violations, zombie
from tests.kit.random_runs import runs, sessions


@given(runs(), st.data())
def test_a_fold_can_be_continued_anywhere(events: list[Event], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events)))
    assert fold(events) == fold(events[at:], start=fold(events[:at]))


@given(sessions(), st.data())
def test_the_sessions_fold_can_be_continued_anywhere(events: list[Event], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(events)))
    half = reduce(fold_session, events[:at], SessionState())
    assert reduce(fold_session, events[at:], half) == reduce(fold_session, events, SessionState())


@given(sessions())
def test_a_fold_survives_the_lines_of_a_recording(events: list[Event]) -> None:
    back = [decode(encode(event)) for event in events]
    assert back == events
    assert fold(e for e in back if e.run == 1) == fold(e for e in events if e.run == 1)


@given(runs(), st.randoms(use_true_random=False), st.data())
def test_arrival_order_does_not_matter(events: list[Event], random: object, data: st.DataObject) -> None:
    arrival = data.draw(st.permutations(events))
    log = RunLog()
    for event in arrival:
        log.add(event)
        if data.draw(st.booleans()):
            # Asking in between must not change what comes out in the end.
            log.state  # noqa: B018
    assert log.state == fold(events)
    assert list(log.events) == events


@given(runs(size=200), st.data())
def test_a_runs_past_is_the_fold_of_its_past(events: list[Event], data: st.DataObject) -> None:
    log = RunLog()
    for event in events:
        log.add(event)
    for _ in range(8):
        t = data.draw(st.integers(-1, events[-1].t + 1))
        past = fold(event for event in events if event.t <= t)
        assert log.at(t) == past
        log.rewind(t)
        assert log.state == past
        assert list(log.events) == [event for event in events if event.t <= t]
    log.rewind(None)
    assert log.state == fold(events)


@given(sessions())
def test_kinds_that_are_not_the_sessions_leave_it_alone(events: list[Event]) -> None:
    state = SessionState()
    for event in events:
        after = fold_session(state, event)
        assert type(event) in SESSION_KINDS or after is state
        state = after


@given(sessions(), st.sampled_from([0, 30, 1_000_000]))
def test_a_session_log_holds_every_run_wherever_its_events_are(events: list[Event], in_memory: int) -> None:
    log = SessionLog(in_memory)
    log.extend(events)
    for number in {event.run for event in events if event.run}:
        own = [event for event in events if event.run == number]
        assert log.run(number) == fold(own)
        assert list(log.events(number)) == own
    assert log.latest == max(event.run for event in events)
    assert log.run(99) == RunState()


@given(sessions(), st.sampled_from([0, 1_000_000]))
def test_a_session_that_goes_on_is_an_archive_like_one_that_is_over(events: list[Event], in_memory: int) -> None:
    log = SessionLog(in_memory)
    log.extend(events)
    live, held = log.archive(), Held(events)
    assert (live.whole, dict(live.spans), list(live.session)) == (held.whole, dict(held.spans), held.session)
    assert list(live.spans) == list(held.spans)
    for number in held.spans:
        assert (list(live.events(number)), live.edges(number)) == (held.events(number), held.edges(number))


@given(sessions(), st.data())
def test_a_late_event_finds_its_run_also_when_that_was_put_away(events: list[Event], data: st.DataObject) -> None:
    late = data.draw(st.sampled_from([event for event in events if event.run]))
    log = SessionLog(in_memory=0)
    log.extend(event for event in events if event is not late)
    log.add(late)
    assert log.run(late.run) == fold(event for event in events if event.run == late.run)


@given(runs())
def test_judging_never_raises_at_any_moment(events: list[Event]) -> None:
    state = RunState()
    for event in events:
        state = fold_run(state, event)
        for lane in state.lanes:
            assert verdict(lane, event.t)
            assert zombie(lane, event.t).ns >= 0
            assert violations(lane) >= 0
            times = [mark.t for _, mark in marks_in_order(lane)]
            assert times == sorted(times)
            for moment in Moment:
                offset(lane, headline(lane, moment))
        for moment in Moment:
            assert (skew(state, moment) or 0) >= 0


@given(runs())
def test_marks_are_only_ever_added(events: list[Event]) -> None:
    """A replay steps from mark to mark of the finished run, so none may vanish on the way."""
    state = RunState()
    for event in events:
        after = fold_run(state, event)
        for lane in state.lanes:
            now = after.lane(lane.name)
            assert now is not None
            for old, new in zip(lane.layers, now.layers, strict=True):
                assert new.marks[: len(old.marks)] == old.marks
        state = after


@given(st.lists(st.tuples(st.sampled_from(Input), st.integers(0, 5))))
def test_the_machine_never_raises_and_records_what_is_illegal(steps: list[tuple[Input, int]]) -> None:
    machine = Machine()
    for t, (step, n) in enumerate(steps):
        legal = step in TABLE[machine.state]
        after = machine.step(step, t, n)
        assert after.state == (TABLE[machine.state][step] if legal else machine.state)
        assert after.illegal == machine.illegal + (not legal)
        assert len(after.violations) == min(after.illegal, VIOLATIONS_KEPT)
        machine = after


def test_the_order_is_total() -> None:
    from probes.events import Note

    a, b = (Note(t=1, err=0, src="lab", seq=seq, text="") for seq in (1, 2))
    assert order_key(a) < order_key(b)
