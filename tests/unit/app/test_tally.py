"""A session's tries: counted as its runs settle, a few at a time, and back with a replay."""

from __future__ import annotations

from app.tally import Tally
from probes.events import Event
from probes.replay import Player
from probes.runlog import SessionLog
from tests.kit import console_kit as kit
from tests.kit.console_kit import SECOND, Told

GRPC = ("grpc", "mid-stream", "task.cancel")


def run(number: int) -> list[Event]:
    return Told(number, kit.RUN_BEGIN + number * 10 * SECOND).fired(kit.settings()).cancelled().settled().events


def session(count: int) -> SessionLog:
    log = SessionLog()
    for number in range(1, count + 1):
        log.extend(run(number))
    return log


def test_it_grows_with_each_run_that_settles() -> None:
    log = session(1)
    tally = Tally(lambda: log.runs, log.run)
    assert tally.update()
    assert tally.cells[GRPC].runs == 1
    assert not tally.update()
    *most, last = run(2)
    log.extend(most)
    assert not tally.update()
    log.add(last)
    assert tally.update()
    assert tally.cells[GRPC].runs == 2


def test_many_runs_are_counted_a_few_at_a_time() -> None:
    log, asked = session(12), list[int]()

    def state(number: int) -> object:
        asked.append(number)
        return log.run(number)

    tally = Tally(lambda: log.runs, state, at_once=5)  # type: ignore[arg-type]
    assert (tally.update(), tally.left) == (True, 6)
    assert (tally.update(), tally.left) == (True, 1)
    assert (tally.update(), tally.left) == (True, 0)
    assert tally.cells[GRPC].runs == 12
    assert not tally.update()
    assert sorted(set(asked)) == list(range(1, 13))
    assert max(asked.count(number) for number in range(1, 12)) == 1


def test_a_replay_counts_up_to_where_it_stands() -> None:
    player = Player([*run(1), *run(2), *run(3)])
    tally = Tally(lambda: player.log.runs, player.log.past)
    for number, position in (
        (0, player.start),
        (3, player.end),
        (1, player.run_start(2) + 1),
        (2, player.run_start(3)),
    ):
        player.seek(position)
        tally.update()
        assert (tally.cells[GRPC].runs if tally.cells else 0) == number
