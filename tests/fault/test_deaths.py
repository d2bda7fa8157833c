"""SIGKILL in mid-run for every process there is: the run says why it was aborted, the next one settles, the recording
is readable, and when all is over no process is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.results import results
from probes.codec import CodecError, decode
from probes.events import ChildDied, Event, PhaseReached, RunStarted
from probes.record import read
from tests.kit.lab_kit import LIMIT, PATIENT, Lab, gone, lane, own_home, processes_of, running
from tests.kit.pg_kit import segment_of, segments
from tests.kit.terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes and shared memory are found in /proc")

APP = (sys.executable, "-P", "-m", "app")
LANES = ("grpc", "http/1.1", "http/2", "postgres")
FOUR = [
    lane("grpc", "mid-stream"),
    lane("http/1.1", "response body"),
    # One that nobody tells would keep each run for all of its time to settle.
    lane("http/2", "response body", options={"reset": True}),
    lane("postgres", "statement executing", delay="60s"),
]
DIED = {
    "lab": [("lab", "SIGKILL")],
    "servers": [("servers", "SIGKILL")],
    "postgres": [("postgres", "SIGKILL")],
    "postgres supervisor": [
        ("postgres supervisor", "SIGKILL"),
        ("postgres", "its supervisor died first, and the kernel sent it SIGQUIT"),
    ],
}
WHY = {
    "lab": "lab died: SIGKILL",
    "servers": "servers died: SIGKILL",
    "postgres": "postgres died: SIGKILL",
    "postgres supervisor": "the supervisor of postgres died: SIGKILL",
}


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """One cache, so that the cluster is made once."""
    with own_home() as path:
        yield path


@pytest.fixture
def home(directory: Path) -> Iterator[Path]:
    yield directory
    gone(directory)


async def settles(lab: Lab) -> None:
    """A run goes as it does in a lab that nobody has touched."""
    ran = await lab.cancelled(*FOUR, settle=PATIENT)
    assert ran.state.outcome == "settled"
    assert ran.told() == dict.fromkeys(LANES, 1)
    assert [ran.printed(name)["verdict"] for name in LANES] == ["clean"] * 4


# --- the lab's parts, with the app alive --------------------------------------------------------------


async def mid_run(lab: Lab) -> int:
    run = lab.fire(*FOUR, settle=0.1)
    await lab.armed(run)
    return run


async def goes_on(lab: Lab, died: int) -> None:
    """Another run settles."""
    await lab.ready(after=died)
    await settles(lab)


@pytest.mark.parametrize("victim", DIED)
async def test_a_part_is_killed_in_mid_run(home: Path, tmp_path: Path, victim: str) -> None:
    path = tmp_path / "session.jsonl"
    async with running(path) as lab:
        run = await mid_run(lab)
        segment = segment_of(home)
        assert segment in segments()
        before = family(lab.pid(victim))
        os.kill(lab.pid(victim), signal.SIGKILL)
        ran = await lab.ended(run)
        assert (ran.state.outcome, ran.state.detail) == ("aborted", WHY[victim])
        assert ran.result["aborted"] == WHY[victim]
        await ended(before)
        died = lab.of(ChildDied)
        assert [(event.child, event.status) for event in died] == DIED[victim]
        await goes_on(lab, died[0].t)
        assert (segment in segments()) == (victim == "servers")
        assert len(lab.of(ChildDied)) == len(died)
    with read(path) as recording:
        assert list(recording.events) == lab.events
        assert (recording.truncated, recording.unreadable) == (None, 0)
    assert [found.get("aborted") for found in results(lab.events)] == [WHY[victim], None]


async def test_servers_and_postgres_at_once(home: Path) -> None:
    async with running() as lab:
        run = await mid_run(lab)
        for victim in ("servers", "postgres"):
            os.kill(lab.pid(victim), signal.SIGKILL)
        ran = await lab.ended(run)
        assert ran.state.outcome == "aborted"
        assert ran.state.detail in (WHY["servers"], WHY["postgres"])
        died = await lab.until(lambda: len(lab.of(ChildDied)) == 2 and lab.of(ChildDied))
        await goes_on(lab, died[-1].t)


@pytest.mark.parametrize("victim", ["servers", "postgres"])
async def test_a_part_is_killed_while_no_run_is_open(home: Path, victim: str) -> None:
    async with running() as lab:
        os.kill(lab.pid(victim), signal.SIGKILL)
        (died,) = await lab.until(lambda: lab.of(ChildDied))
        # Asked for at once: it waits until everything is there again.
        await settles(lab)
        assert lab.pid(victim) != died.pid


@pytest.mark.parametrize("victim", DIED)
async def test_a_part_is_killed_as_soon_as_the_run_is_fired(home: Path, victim: str) -> None:
    async with running() as lab:
        run = lab.fire(*FOUR, settle=0.1)
        os.kill(lab.pid(victim), signal.SIGKILL)
        (died, *_) = await lab.until(lambda: lab.of(ChildDied))
        # Whether the run had begun or was waiting for the part, it ends.
        lab.cancel()
        ran = await lab.ended(run)
        assert ran.state.outcome == "settled" or ran.state.detail
        await goes_on(lab, died.t)


# --- the app itself -----------------------------------------------------------------------------------


SCENARIO = """
title = "Held"
summary = "All lanes are held in their phase until somebody comes."
hold = "{hold}"
settle = "1s"
lanes = [
    {{ protocol = "grpc", phase = "mid-stream" }},
    {{ protocol = "http/1.1", phase = "response body" }},
    {{ protocol = "http/2", phase = "response body", options = {{ reset = true }} }},
    {{ protocol = "postgres", phase = "statement executing", delay = "60s" }},
]
"""


def scenario(folder: Path, hold: str) -> str:
    path = folder / "held.toml"
    path.write_text(SCENARIO.format(hold=hold))
    return str(path)


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


async def ended(processes: list[psutil.Process]) -> None:
    """Wait until all of them are gone."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, LIMIT)
    assert not alive


@contextlib.asynccontextmanager
async def written(path: Path) -> AsyncIterator[asyncio.StreamReader]:
    """The lines of ``path`` as they are written, from its first on; it may not be there yet."""
    tail = await asyncio.create_subprocess_exec("tail", "-q", "-n", "+1", "-F", str(path), stdout=PIPE, stderr=PIPE)
    assert tail.stdout is not None
    try:
        yield tail.stdout
    finally:
        tail.kill()
        await tail.communicate()


async def held(path: Path, run: int = 1) -> list[Event]:
    """Wait until the recording says that all lanes of ``run`` are in their phase; what it said up to there."""
    events: list[Event] = []
    armed: set[str] = set()
    async with asyncio.timeout(LIMIT), written(path) as lines:
        while armed != {*LANES}:
            with contextlib.suppress(CodecError):
                events.append(decode((await lines.readline()).rstrip(b"\n")))
                armed |= {events[-1].lane} if isinstance(events[-1], PhaseReached) and events[-1].run == run else set()
    return events


async def headless(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(*APP, "run", *arguments, "--format", "json", stdout=PIPE, stderr=PIPE)


async def output(process: Process) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, the objects of its lines, and what it said on stderr."""
    async with asyncio.timeout(3 * LIMIT):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


async def replayed(path: Path) -> tuple[int, list[dict[str, Any]], str]:
    return await output(
        await asyncio.create_subprocess_exec(*APP, "replay", str(path), "--format", "json", stdout=PIPE, stderr=PIPE)
    )


def readable(path: Path, seen: list[Event]) -> None:
    """The recording has everything that was flushed, whole, and opens without complaint beyond its last line."""
    with read(path) as recording:
        events = list(recording.events)
    assert recording.unreadable == 0
    assert recording.truncated is None or recording.truncated.startswith("cut: ")
    assert [event for event in events if event in seen] == seen
    assert [event.run for event in events if isinstance(event, RunStarted)] == [1]


async def test_the_headless_app_is_killed(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    app = await headless(scenario(tmp_path, "60s"), "--record", str(path))
    seen = await held(path)
    children = family(app.pid)
    assert len(children) > 10
    app.kill()
    assert await output(app) == (-signal.SIGKILL, [], "")
    await ended(children)
    gone(home)
    readable(path, seen)
    status, found, err = await replayed(path)
    assert (status, found) == (0, [])
    assert len(err.splitlines()) <= 1
    status, found, err = await output(await headless(scenario(tmp_path, "0s")))
    assert (status, len(found), err) == (0, 1, "")


async def test_the_headless_app_goes_on_after_its_lab_was_killed(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    app = await headless(scenario(tmp_path, "3s"), "--runs", "2", "--record", str(path))
    await held(path)
    (lab,) = [process for process in family(app.pid) if "app.lab" in process.cmdline()]
    children = family(lab.pid)
    lab.kill()
    status, found, err = await output(app)
    assert (status, err) == (1, "cancelloscope: run 1: lab died: SIGKILL\n")
    assert [one.get("aborted") for one in found] == ["lab died: SIGKILL", None]
    assert found[1]["lanes"]["grpc"]["verdict"] == "clean"
    await ended(children)
    assert (await replayed(path))[1] == found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
async def test_the_console_is_killed(home: Path, tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "session.jsonl"
    with Terminal(*APP, "--record", str(path), scenario(tmp_path, "0s")) as terminal:
        await terminal.until(b"enter")
        terminal.press(b"\r")
        seen = await held(path)
        children = family(terminal.process.pid)
        terminal.process.send_signal(number)
        await terminal.status()
    await ended(children)
    gone(home)
    readable(path, seen)


async def test_the_console_goes_on_after_its_lab_was_killed(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    with Terminal(*APP, "--record", str(path), scenario(tmp_path, "0s")) as terminal:
        await terminal.until(b"enter")
        terminal.press(b"\r")
        await held(path)
        (lab,) = [process for process in family(terminal.process.pid) if "app.lab" in process.cmdline()]
        lab.kill()
        terminal.clear()
        # The key is offered again as soon as there is a lab that takes it.
        await terminal.until(b"aborted", b"enter")
        terminal.press(b"\r")
        await held(path, run=2)
        terminal.clear()
        terminal.press(b"c")
        # Quitting asks while a run is open.
        await terminal.until(b"clean", b"settled")
        terminal.press(b"q")
        assert await terminal.status() == 0
    gone(home)
    assert [found.get("aborted") for found in results(read(path).events)] == ["lab died: SIGKILL", None]


async def test_processes_of_other_tests_are_not_ours(home: Path) -> None:
    assert os.getpid() not in processes_of(home / "another")
