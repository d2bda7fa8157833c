"""Recordings of earlier versions open, replay, and give the results that they gave when they were made.

A new one: `cancelloscope run SCENARIO --record NAME.vN.jsonl --format json > NAME.vN.results.jsonl`. An old one is
never changed; where a later version judges an event in another way, its results file says so in the same commit.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.results import results
from probes.events import Event
from probes.record import read
from probes.replay import Player

HERE = Path(__file__).parent
RECORDINGS = sorted(path for path in HERE.glob("*.jsonl") if not path.name.endswith(".results.jsonl"))


def opened(path: Path) -> list[Event]:
    recording = read(path)
    events = list(recording.events)
    assert (recording.truncated, recording.unreadable) == (None, 0), recording.notes()
    return events


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_an_old_recording_gives_its_old_results(path: Path) -> None:
    expected = path.with_suffix("").with_suffix(path.suffixes[0] + ".results.jsonl").read_text(encoding="utf-8")
    assert list(results(opened(path))) == [json.loads(line) for line in expected.splitlines()]


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_an_old_recording_plays_to_its_end(path: Path) -> None:
    player = Player(opened(path))
    assert player.runs
    assert any(player.moments(number) for number in player.runs)
    player.seek(player.end)
    assert all(player.log.run(number).ended for number in player.runs)


def test_version_1_has_all_of_its_kinds() -> None:
    kinds = {line["kind"] for line in map(json.loads, (HERE / "every-kind.v1.jsonl").read_text().splitlines()[1:])}
    assert len(kinds) == 30
