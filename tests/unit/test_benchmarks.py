"""The benchmarks run and print their rows; what the figures are is not looked at here."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.figures import percentile, row, versus

ROWS = {
    "hop": "round trip tapped (two hops)",
    "start": "lab ready",
    "paint": "every panel at 200x60",
    "drawing": "frames a second",
    "ui": "from the byte written to the terminal",
    "recorder": "caller held up by write, a block",
    "replay": "seek anywhere and paint",
    "memory": "look back at a run",
}


def benchmarks(*args: str) -> subprocess.CompletedProcess[str]:
    argv = (sys.executable, "-m", "tests.benchmarks", *args)
    return subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_runs_and_prints_its_rows(name: str) -> None:
    done = benchmarks("--only", name, "--brief")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\S.*Python 3.* cores, load ", done.stdout)
    assert re.search(rf"^{re.escape(ROWS[name])} +\d+\.\d +\d+\.\d .* n=\d", done.stdout, re.MULTILINE), done.stdout
    assert "no values" not in done.stdout


def test_a_name_that_is_none_gets_the_list() -> None:
    done = benchmarks("--only", "hops")
    assert done.returncode == 2
    assert all(f"'{name}'" in done.stderr for name in BENCHMARKS)


def test_percentiles_are_by_nearest_rank() -> None:
    values = [float(value) for value in range(20, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([7.0], 0.95)) == (10.0, 19.0, 7.0)
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_a_row_says_what_it_has() -> None:
    assert " ".join(row("seek", [1.0, 3.0], "ms", "budget: <= 9").split()) == "seek 1.0 3.0 ms n=2 budget: <= 9"
    assert versus("Done", [2.0], [3.0]).split() == ["Done", "2.0", "3.0", "1.50", "1.50", "n=1"]
    assert "no values" in row("seek", [], "ms")
    assert "no values" in versus("Done", [], [1.0])
