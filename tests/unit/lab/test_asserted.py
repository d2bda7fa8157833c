"""``run --assert`` on a real lab: what is as expected, what differs, what missed its phase; and all that is shipped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.paths import scenario_files

HEAD = 'title = "T"\nsummary = "S"\n'
STREAM = '[[lanes]]\nprotocol = "grpc"\nphase = "mid-stream"\n'


def run(*args: str | Path, limit: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "app", "run", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("text", "status", "line"),
    [
        (f'{HEAD}hold = "0ms"\n{STREAM}expect.wire.interrupt = "RST_STREAM"\n', 0, "ok       mine\n"),
        (
            f'{HEAD}hold = "0ms"\n{STREAM}expect.wire.interrupt = "absent"\n',
            1,
            "  grpc wire.interrupt: wanted nothing, got client>server RST_STREAM CANCEL(8) at ",
        ),
        (
            f'{HEAD}cause = "deadline"\ndeadline = "100ms"\n{STREAM}delay = "30s"\n',
            1,
            "missed   mine\n  grpc never was in the phase 'mid-stream'\n",
        ),
    ],
    ids=["ok", "differs", "missed"],
)
def test_a_file_of_ones_own(text: str, status: int, line: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(text, encoding="utf-8")
    done = run(mine, "--assert")
    assert (done.returncode, done.stderr) == (status, ""), done.stdout
    assert done.stdout.startswith("mine  run 1  cause: "), "a single scenario's result is printed as ever"
    assert line in done.stdout


def test_several_of_those_that_are_shipped_as_json() -> None:
    done = run("--all", "--search", "One scope, four lanes", "--assert", "--format", "json", "--runs", 2)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    (found,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == {"scenario": "one-scope", "status": "ok", "runs": 2, "reasons": [], "note": ""}


@pytest.mark.soak
def test_everything_that_is_shipped_is_as_it_says() -> None:
    done = run("--all", "--assert", "--runs", 3, limit=3600)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert len(done.stdout.splitlines()) == len(scenario_files()) + 1
