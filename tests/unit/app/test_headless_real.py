"""The command over the real lab: one JSON object a run, of the documented form, and equal when it is replayed."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probes.record import read
from tests.kit.lab_kit import LIMIT, own_home

APP = (sys.executable, "-P", "-m", "app")
LANES = ("grpc", "http/1.1", "http/2", "postgres")

TEXT, COUNT, TIME = "text", "count", "time"
OR_NULL = "?"
LANE = {
    "caller": {"done_us": TIME + OR_NULL},
    "client": {"done_us": TIME + OR_NULL, "evidence": TEXT + OR_NULL},
    "wire": {"interrupt_us": TIME + OR_NULL, "evidence": TEXT + OR_NULL, "stamp": TEXT + OR_NULL},
    "server": {"done_us": TIME + OR_NULL, "cleanup_us": TIME + OR_NULL, "evidence": TEXT + OR_NULL},
    "resource": {"cleanup_us": TIME + OR_NULL, "evidence": TEXT + OR_NULL},
    "machine": {"client": TEXT, "server": TEXT, "violations": COUNT},
    "chunks": {"accepted": COUNT + OR_NULL, "on_wire": COUNT, "read": COUNT},
    "zombie": {"ms": TIME, "bytes": COUNT},
    "residue": {...: COUNT},
    "verdict": TEXT,
}
FORM = {
    "scenario": TEXT,
    "run": COUNT,
    "trigger": {"cause": TEXT + OR_NULL},
    "versions": {...: TEXT},
    "lanes": {...: LANE},
    "skew_us": {"done": TIME + OR_NULL, "interrupt": TIME + OR_NULL, "cleanup": TIME + OR_NULL},
    "loop_lag_us": TIME,
    "census": {"before": {...: COUNT}, "after": {...: COUNT}, "leaked": {...: COUNT}},
}
"""What README and docs/reading.md promise. ``...`` is any name."""


def misfits(found: object, form: Any, where: str = "") -> Iterator[str]:
    """Where ``found`` does not have ``form``."""
    if isinstance(form, dict):
        yield from _misfits_within(found, form, where)
    elif found is None:
        if not form.endswith(OR_NULL):
            yield f"{where} is null"
    elif not _is(found, form.removesuffix(OR_NULL)):
        yield f"{where} is {found!r}, which is no {form}"


def _misfits_within(found: object, form: dict[Any, Any], where: str) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{where} is no object"
        return
    names = list(found) if ... in form else list(form)
    if set(found) != set(names):
        yield f"{where} has {sorted(set(found) ^ set(names))} too many or too few"
        return
    for name in names:
        yield from misfits(found[name], form.get(name, form.get(...)), f"{where}/{name}")


def _is(found: object, kind: str) -> bool:
    if kind == TEXT:
        return isinstance(found, str) and found != ""
    if kind == COUNT:
        return type(found) is int and found >= 0
    # To a tenth of a microsecond or of a millisecond.
    return type(found) is float and round(found, 1) == found


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with own_home() as path:
        yield path


async def command(*arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(*APP, *arguments, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(3 * LIMIT):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_replay_of_a_recording_prints_the_same_lines(home: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "session.jsonl")
    status, live, err = await command("run", "one-scope", "--runs", "2", "--format", "json", "--record", path)
    assert (status, err) == (0, "")
    assert await command("replay", path, "--format", "json") == (0, live, "")
    found = [json.loads(line) for line in live.splitlines()]
    assert [one["run"] for one in found] == [1, 2]
    for one in found:
        assert list(misfits(one, FORM)) == []
        assert tuple(one["lanes"]) == LANES
        assert one["trigger"] == {"cause": "key"}
        assert {name: lane["verdict"] for name, lane in one["lanes"].items()} == {
            "grpc": "clean",
            "http/1.1": "clean",
            "http/2": "zombie",
            "postgres": "clean",
        }
        never_came(one["lanes"]["http/2"])
    with read(Path(path)) as recording:
        assert (recording.unreadable, recording.truncated) == (0, None)
        assert "one-scope" in recording.header["scenarios"]  # type: ignore[operator]
    status, table, err = await command("replay", path, "--format", "table")
    assert (status, err) == (0, "")
    assert table.startswith("one-scope  run 1  cause: key\n")


def never_came(lane: dict[str, Any]) -> None:
    """Nothing of the cancel was seen beyond the client: null, and not 0."""
    assert lane["client"]["done_us"] > 0
    assert lane["wire"] == {"interrupt_us": None, "evidence": None, "stamp": None}
    assert lane["server"] == {"done_us": None, "cleanup_us": None, "evidence": None}
    assert lane["resource"] == {"cleanup_us": None, "evidence": None}
    assert lane["zombie"]["ms"] > 0
    assert lane["residue"] == {"handlers": 1, "streams": 1}


@pytest.mark.parametrize("change", [{"run": "1"}, {"loop_lag_us": None}, {"new": 1}, {"skew_us": 0}, {"scenario": ""}])
def test_another_form_is_noticed(change: dict[str, object]) -> None:
    lane = {
        "caller": {"done_us": None},
        "client": {"done_us": 1.5, "evidence": None},
        "wire": {"interrupt_us": None, "evidence": None, "stamp": None},
        "server": {"done_us": None, "cleanup_us": None, "evidence": None},
        "resource": {"cleanup_us": None, "evidence": None},
        "machine": {"client": "Idle", "server": "Idle", "violations": 0},
        "chunks": {"accepted": None, "on_wire": 0, "read": 0},
        "zombie": {"ms": 0.0, "bytes": 0},
        "residue": {},
        "verdict": "clean",
    }
    right = {
        "scenario": "one-scope",
        "run": 1,
        "trigger": {"cause": None},
        "versions": {"python": "3"},
        "lanes": {"grpc": lane},
        "skew_us": {"done": None, "interrupt": None, "cleanup": None},
        "loop_lag_us": 0.0,
        "census": {"before": {}, "after": {"tasks": 3}, "leaked": {}},
    }
    assert list(misfits(right, FORM)) == []
    assert list(misfits(right | change, FORM)) != []
