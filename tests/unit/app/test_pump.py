"""The lab as a child: its lines are recorded as they came, its death is said and survived, nothing is left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from app import commands
from app.results import results
from probes.events import (
    ChildDied,
    ChildSaid,
    ChildStarted,
    ChunkReceived,
    LabReady,
    Note,
    PhaseReached,
    Progress,
    RunEnded,
    ScenarioLoaded,
)
from probes.record import RecordingError, read
from tests.kit.scripted_lab import FLOOD

from .conftest import Start, settings


async def test_a_run_goes_out_and_its_events_come_back(start: Start) -> None:
    lab, heard = await start()
    await heard.until(LabReady)
    lab.send(settings().to_start(1))
    lab.send(commands.Cancel(key_ns=5))
    ended = await heard.until(RunEnded)
    assert (ended.run, ended.outcome) == (1, "settled")
    assert heard.events[0] == heard.all(ChildStarted)[0]
    (result,) = results(heard.events)
    assert result["lanes"]["grpc"]["wire"]["evidence"] == "client>server FIN"


async def test_the_texts_of_scenarios_that_are_loaded_later_are_recorded(start: Start, tmp_path: Path) -> None:
    lab, heard = await start(header=lambda: {"scenarios": {"first": "title = 1"}})
    await heard.until(LabReady)
    lab.tell_scenario("second", 'title = "2"')
    path = lab.start_recording(tmp_path / "a.jsonl")
    lab.tell_scenario("third", "title = 3")
    await lab.stop()
    recording = read(path)
    found = [event for event in recording.events if isinstance(event, ScenarioLoaded)]
    assert recording.header["scenarios"] == {"first": "title = 1"}
    assert [(event.name, event.text, event.run) for event in found] == [
        ("second", 'title = "2"', 0),
        ("third", "title = 3", 0),
    ]
    assert heard.all(ScenarioLoaded) == found


async def test_many_lines_come_in_few_blocks(start: Start) -> None:
    lab, heard = await start()
    lab.send(settings("flood").to_start(1))
    lab.send(commands.Cancel())
    await heard.until(RunEnded)
    assert [event.total for event in heard.all(ChunkReceived)] == list(range(1, FLOOD + 1))
    assert heard.blocks < FLOOD / 20


async def test_the_password_is_in_the_environment_and_neither_in_argv_nor_in_the_recording(
    start: Start, tmp_path: Path
) -> None:
    dsn = "postgresql://me:s3cret@host/db"
    lab, heard = await start(dsn=dsn, header=lambda: {"postgres": dsn})
    path = lab.start_recording(tmp_path / "a.jsonl")
    ready = await heard.until(LabReady)
    assert ready.versions["pg"] == dsn
    assert "s3cret" not in " ".join(psutil.Process(lab.pid).cmdline())
    await lab.stop()
    assert b"s3cret" not in path.read_bytes()
    with read(path) as recording:
        assert recording.header["postgres"] == "postgresql://me:***@host/db"


async def test_what_is_no_event_becomes_one_note_and_stderr_is_heard_without_secrets(start: Start) -> None:
    lab, heard = await start()
    lab.send(settings("garbage").to_start(1))
    lab.send(commands.Cancel())
    said = await heard.until(ChildSaid)
    assert (said.src, said.text) == ("app", "a word on stderr, postgresql://me:***@host/db")
    await heard.until(RunEnded)
    (note,) = heard.all(Note)
    assert note.text.startswith("the lab said what is no event: ")


async def test_a_lab_that_dies_in_mid_run_ends_the_run_and_is_started_again(start: Start) -> None:
    lab, heard = await start()
    lab.send(settings("die").to_start(1))
    died = await heard.until(ChildDied)
    assert (died.child, died.status, died.pid) == ("lab", "SIGKILL", heard.all(ChildStarted)[0].pid)
    ended = await heard.until(RunEnded)
    assert (ended.run, ended.outcome, ended.detail, ended.src) == (1, "aborted", "lab died: SIGKILL", "app")
    await heard.until(LabReady, lambda event: event.t > died.t)
    lab.send(settings().to_start(2))
    lab.send(commands.Cancel())
    assert (await heard.until(RunEnded, lambda event: event.run == 2)).outcome == "settled"


async def test_a_line_that_was_cut_by_death_is_said_and_not_recorded(start: Start, tmp_path: Path) -> None:
    lab, heard = await start()
    path = lab.start_recording(tmp_path / "a.jsonl")
    lab.send(settings("cut").to_start(1))
    await heard.until(RunEnded)
    assert [note.text for note in heard.all(Note)] == ["the lab's last line was cut after 18 bytes"]
    await lab.stop()
    recording = read(path)
    assert list(recording.events) == heard.events
    assert (recording.unreadable, recording.truncated) == (0, None)


async def test_a_lab_that_keeps_dying_is_left_alone(start: Start) -> None:
    lab, heard = await start("dies-at-start")
    failed = await heard.until(Progress, lambda event: event.state == "failed")
    assert failed.detail == "the lab died 3 times within 10 s (exit status 3): it is not started again"
    assert lab.given_up
    assert len(heard.all(ChildDied)) == len(heard.all(ChildStarted)) == 3
    lab.send(settings().to_start(1))
    assert (await heard.until(RunEnded)).detail == "there is no lab"


async def test_a_run_without_a_lab_is_answered_once(start: Start) -> None:
    lab, heard = await start()
    os.kill(lab.pid, signal.SIGKILL)
    await heard.until(ChildDied)
    lab.send(settings().to_start(1))
    lab.send(commands.Cancel())
    ended = await heard.until(RunEnded)
    assert (ended.run, ended.detail) == (1, "there is no lab")


async def test_a_recording_that_begins_in_mid_run_replays_whole(start: Start, tmp_path: Path) -> None:
    lab, heard = await start()
    for run in (1, 2):
        lab.send(settings().to_start(run))
        if run == 1:
            lab.send(commands.Cancel())
            await heard.until(RunEnded)
    await heard.until(PhaseReached, lambda event: event.run == 2)
    path = lab.start_recording(tmp_path / "a.jsonl")
    assert lab.recording == path
    lab.send(commands.Cancel())
    await heard.until(RunEnded, lambda event: event.run == 2)
    await lab.stop()
    events = list(read(path).events)
    assert {event.run for event in events} == {0, 2}
    assert list(results(events)) == [one for one in results(heard.events) if one["run"] == 2]
    assert [event for event in events if isinstance(event, LabReady)] == heard.all(LabReady)


async def test_recording_can_be_ended_and_begun_anew(start: Start, tmp_path: Path) -> None:
    lab, heard = await start()
    await heard.until(LabReady)
    first = lab.start_recording(tmp_path / "a.jsonl")
    with pytest.raises(RecordingError, match="is there already"):
        lab.start_recording(first)
    assert lab.recording is None
    second = lab.start_recording(tmp_path / "b.jsonl")
    lab.stop_recording()
    assert lab.recording is None
    await lab.stop()
    assert list(read(second).events) == list(read(first).events) == heard.events


async def test_a_recording_without_a_name_gets_one_that_is_free(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lab, _ = await start()
    paths = {lab.start_recording(None) for _ in range(3)}
    assert len(paths) == 3
    assert all(path.parent == tmp_path and path.name.startswith("cancelloscope-") for path in paths)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_a_disk_that_is_full_is_said_and_the_run_goes_on(start: Start) -> None:
    lab, heard = await start()
    await heard.until(LabReady)
    with pytest.raises(RecordingError, match="the disk is full"):
        lab.start_recording(Path("/dev/full"), overwrite=True)
    lab.send(settings().to_start(1))
    lab.send(commands.Cancel())
    await heard.until(RunEnded)


@pytest.mark.parametrize("how", ["well", "deaf"])
async def test_after_stop_there_is_no_process(start: Start, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "deaf":
        # It is known not to obey: what comes after the waiting is looked at.
        monkeypatch.setattr("app.pump._QUIT_TIMEOUT", 0.1)
        monkeypatch.setattr("app.pump._TERMINATE_TIMEOUT", 0.1)
    lab, heard = await start(how)
    await heard.until(LabReady)
    pid = lab.pid
    await lab.stop()
    assert lab.pid == 0
    assert not psutil.pid_exists(pid)
    assert not heard.all(ChildDied)


async def test_stop_twice_and_stop_while_it_waits_to_start_again(start: Start) -> None:
    lab, heard = await start()
    await heard.until(LabReady)
    os.kill(lab.pid, signal.SIGKILL)
    await heard.until(ChildDied)
    await lab.stop()
    await lab.stop()
    assert lab.pid == 0
    assert len(heard.all(ChildStarted)) == 1
