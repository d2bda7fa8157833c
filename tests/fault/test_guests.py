"""Outside clients of a listening lab, with the real programs: curl, psql, and a client that only knows reflection."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app import commands
from app.pump import LabProcess
from app.results import Results
from probes.events import (
    TO_CLIENT,
    BackendState,
    BytesSeen,
    Event,
    FaultEnded,
    FaultPlan,
    FaultStarted,
    LaneJoined,
    Listening,
    Note,
    RunEnded,
)
from probes.runlog import SessionLog

WAIT = 40.0

curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (Debian: curl)")
psql = pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed (Debian: postgresql-client)")


class Hall:
    """A lab that listens, and what it said."""

    def __init__(self) -> None:
        self.log, self.events = SessionLog(), list[Event]()
        self.results = Results()
        self.found: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self.lab = LabProcess(self._take)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self.events.append(event)
            self.log.add(event)
            if (result := self.results.add(event)) is not None:
                self.found.append(result)
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT):
            while not true():
                self._news.clear()
                await self._news.wait()

    def seen(self, kind: type[Event], **fields: object) -> bool:
        return any(
            isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
            for event in self.events
        )

    async def result(self, number: int = 1) -> dict[str, Any]:
        await self.until(lambda: len(self.found) >= number)
        return self.found[number - 1]

    def seen_lanes(self) -> list[str]:
        """The lanes whose bytes flow, in the order in which they joined."""
        flowing = {event.lane for event in self.events if isinstance(event, BytesSeen) and event.body}
        return [event.lane for event in self.events if isinstance(event, LaneJoined) and event.lane in flowing]

    @property
    def at(self) -> dict[str, str]:
        return dict(self.log.session.guests)


@asynccontextmanager
async def hall() -> AsyncIterator[Hall]:
    it = Hall()
    try:
        await it.lab.start()
        await it.until(lambda: it.log.session.ready)
        it.lab.send(commands.Listen(run=1))
        await it.until(lambda: it.seen(Listening, part="guests"))
        yield it
    finally:
        await it.lab.stop()


async def start(*argv: str, **env: str) -> Process:
    return await asyncio.create_subprocess_exec(*argv, stdout=DEVNULL, stderr=DEVNULL, env=env or None)


@curl
@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge"])
async def test_curl_that_gives_up_makes_a_lane_with_wire_server_and_resource(option: str) -> None:
    async with hall() as it:
        process = await start("curl", option, "--max-time", "1", f"http://{it.at['http']}/stream?interval=0.05")
        assert await process.wait() == 28
        result = await it.result()
        protocol = "http/2" if "2" in option else "http/1.1"
        (name,) = result["lanes"]
        assert name == f"{protocol} 1"
        lane = result["lanes"][name]
        assert result["trigger"]["cause"] in ("client FIN", "client RST")
        assert lane["wire"]["evidence"].startswith("client>server")
        assert lane["server"]["done_us"] > 0
        assert lane["server"]["cleanup_us"] >= lane["server"]["done_us"]
        assert "CancelledError at" in lane["server"]["evidence"]
        assert lane["resource"]["cleanup_us"] is not None
        assert lane["machine"] == {"client": "Idle", "server": "Cancelled", "violations": 0}
        assert lane["chunks"]["accepted"] >= lane["chunks"]["on_wire"] > 0
        assert lane["verdict"] == "clean"


@curl
async def test_curl_that_stays_to_the_end_is_not_cancelled() -> None:
    async with hall() as it:
        process = await start("curl", f"http://{it.at['http']}/stream?interval=0&chunks=3")
        assert await process.wait() == 0
        lane = (await it.result())["lanes"]["http/1.1 1"]
        assert lane["verdict"] == "not cancelled"
        assert lane["wire"]["interrupt_us"] is None
        assert lane["machine"]["server"] == "Completed"


@curl
async def test_guests_that_overlap_share_a_run_and_later_ones_have_the_next() -> None:
    async with hall() as it:
        url = f"http://{it.at['http']}/stream?interval=0.05"
        first = await start("curl", "--http1.1", "--max-time", "2", url)
        await it.until(lambda: it.seen(BytesSeen, lane="http/1.1 1"))
        second = await start("curl", "--http1.1", "--max-time", "1", url)
        await asyncio.gather(first.wait(), second.wait())
        assert set((await it.result())["lanes"]) == {"http/1.1 1", "http/1.1 2"}
        third = await start("curl", "--http1.1", "--max-time", "1", url)
        await third.wait()
        result = await it.result(2)
        assert result["run"] == 2
        assert set(result["lanes"]) == {"http/1.1 1"}


@psql
async def test_psql_with_ctrl_c() -> None:
    async with hall() as it:
        host, _, port = it.at["postgres"].rpartition(":")
        words = ["psql", "-h", host, "-p", port, "-U", "guest", "-c", "SELECT pg_sleep(600)", "postgres"]
        process = await start(*words, PGPASSWORD="guest", PATH="/usr/bin:/bin")
        await it.until(lambda: it.seen(BackendState, state="active"))
        process.send_signal(signal.SIGINT)
        await process.wait()
        result = await it.result()
        lane = result["lanes"]["postgres 1"]
        assert result["trigger"]["cause"] == "client CancelRequest"
        assert lane["wire"]["evidence"] == "client>server CancelRequest, server>client ErrorResponse 57014"
        assert lane["wire"]["stamp"] in ("kernel", "user")
        assert lane["server"]["evidence"] == "ErrorResponse 57014"
        assert lane["resource"]["evidence"].endswith("ReadyForQuery idle")
        assert lane["machine"] == {"client": "Idle", "server": "Cancelled", "violations": 0}


@psql
async def test_psql_that_is_killed_leaves_a_backend_that_the_observer_sees_to_its_end() -> None:
    async with hall() as it:
        host, _, port = it.at["postgres"].rpartition(":")
        words = ["psql", "-h", host, "-p", port, "-U", "guest", "-c", "SELECT pg_sleep(3)", "postgres"]
        process = await start(*words, PGPASSWORD="guest", PATH="/usr/bin:/bin")
        await it.until(lambda: it.seen(BackendState, state="active"))
        process.kill()
        await process.wait()
        lane = (await it.result())["lanes"]["postgres 1"]
        assert lane["verdict"] == "zombie"
        assert lane["zombie"]["ms"] > 500
        assert "FIN" in lane["wire"]["evidence"] or "RST" in lane["wire"]["evidence"]


async def test_a_client_that_only_knows_reflection() -> None:
    async with hall() as it:
        process = await start(sys.executable, "-m", "tests.kit.reflection_client", it.at["grpc"], "0.8")
        assert await process.wait() == 0
        result = await it.result()
        lanes = [lane for lane in result["lanes"].values() if lane["machine"]["server"] != "Idle"]
        (lane,) = lanes
        assert lane["machine"]["violations"] == 0
        assert lane["server"]["done_us"] is not None
        assert lane["wire"]["evidence"] is not None
        assert lane["chunks"]["on_wire"] > 0


@curl
async def test_a_guest_is_frozen_and_thawed_and_cut_and_nobody_else_is() -> None:
    async with hall() as it:
        url = f"http://{it.at['http']}/stream?interval=0.02&chunks=100000"
        # One after the other: of two that start at once either may be the first to join.
        victim = await start("curl", url)
        await it.until(lambda: len(it.seen_lanes()) == 1)
        (lane,) = it.seen_lanes()
        other = await start("curl", url)
        await it.until(lambda: len(it.seen_lanes()) == 2)
        it.lab.send(commands.Fault(lane=lane, fault=FaultPlan(kind="freeze", direction=TO_CLIENT)))
        await it.until(lambda: it.seen(FaultStarted, lane=lane, fault="freeze"))
        it.lab.send(commands.Clear(lane=lane))
        await it.until(lambda: it.seen(FaultEnded, lane=lane, fault="freeze"))
        it.lab.send(commands.Fault(lane=lane, fault=FaultPlan(kind="cut", how="RST")))
        assert await victim.wait() != 0
        assert other.returncode is None
        other.terminate()
        await other.wait()
        lanes = (await it.result())["lanes"]
        assert lanes.pop(lane)["wire"]["evidence"] == "cut by the tap with RST"
        (left,) = lanes.values()
        assert left["wire"]["evidence"].startswith("client>server")


async def test_a_guest_that_is_not_there_cannot_be_disturbed() -> None:
    async with hall() as it:
        it.lab.send(commands.Clear(lane="http/1.1 7"))
        await it.until(lambda: it.seen(Note, text="no lane 'http/1.1 7' is open: nothing was disturbed"))


@curl
async def test_a_recording_of_guests_gives_the_same_results(tmp_path: Path) -> None:
    from app.results import results
    from probes.record import read

    path = tmp_path / "guests.jsonl"
    async with hall() as it:
        it.lab.start_recording(path)
        process = await start("curl", "--max-time", "1", f"http://{it.at['http']}/slow-headers?delay=30")
        await process.wait()
        live = await it.result()
        await it.until(lambda: it.seen(RunEnded))
    assert list(results(read(path).events)) == [live]
