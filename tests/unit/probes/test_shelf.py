"""The shelf gives back what was put there, and a full disk costs nothing that was there before."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from probes.fold import order_key
from probes.runlog import SessionLog
from probes.shelf import Shelf
from tests.kit import console_kit as kit
from tests.kit.console_kit import SECOND, Told


def run(number: int) -> list[kit.Event]:
    told = Told(number, kit.RUN_BEGIN + number * 10 * SECOND).fired(kit.settings()).cancelled().settled()
    return sorted((event for event in told.events if event.run), key=order_key)


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process grows beyond one byte: not for longer than it must, for pytest writes to one as well."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_put_there_comes_back_and_the_last_counts() -> None:
    shelf = Shelf()
    shelf.put(1, run(1))
    shelf.put(2, run(2))
    shelf.put(1, run(1)[:3])
    assert (shelf.take(1), shelf.take(2)) == (run(1)[:3], run(2))
    with pytest.raises(KeyError):
        shelf.take(3)
    shelf.close()


def test_a_full_disk_leaves_what_was_there() -> None:
    shelf = Shelf()
    with no_room(), pytest.raises(OSError, match="too large"):
        shelf.put(1, run(1))
    with pytest.raises(KeyError):
        shelf.take(1)
    shelf.close()


def test_a_session_stays_in_memory_when_it_has_nowhere_to_go() -> None:
    log, runs = SessionLog(in_memory=0), [run(number) for number in (1, 2, 3)]
    with no_room():
        for each in runs:
            log.extend(each)
    assert [list(log.events(number)) for number in (1, 2, 3)] == [run(number) for number in (1, 2, 3)]
    assert [log.run(number).outcome for number in (1, 2, 3)] == ["settled"] * 3
