"""Every error is one line and a status; nothing shows a traceback."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.cli import main
from app.paths import scenario_files

COMMAND = [sys.executable, "-P", "-m", "app"]


def run(*args: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args], capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["run", "one-scop"], "no scenario is called 'one-scop': did you mean one-scope?"),
        (["one-scop"], "no scenario is called 'one-scop': did you mean one-scope?"),
        (["run"], "Missing argument 'SCENARIO'."),
        (["run", "one-scope", "--all"], "name one scenario, or write --all, not both"),
        (["run", "one-scope", "--search", "grpc"], "--search chooses from --all: write both"),
        (["run", "--all", "--search", "no such words"], "no scenario has 'no such words' in its name, its text or its"),
        (["scenarios", "--search", "no such words"], "no scenario has 'no such words'"),
        (["scenarios", "one-scope", "--coverage"], "one scenario is shown whole: --search and --coverage are for the"),
        (["scenarios", "one-scop"], "no scenario is called 'one-scop': did you mean one-scope?"),
        (["check"], "Missing argument 'FILE...'"),
        (["run", "one-scope", "--runs", "0"], "Invalid value for '--runs'"),
        (["run", "one-scope", "--format", "xml"], "Invalid value for '--format'"),
        (["run", "one-scope", "--nonsense"], "No such option"),
        (["run", "./gone.toml"], "gone.toml: No such file or directory"),
        (["replay", "gone.jsonl", "--format", "json"], "gone.jsonl: No such file or directory"),
        (["replay", "."], "the console needs a terminal"),
        (["replay", ".", "--format", "json"], ".: Is a directory"),
        ([], "the console needs a terminal: `cancelloscope run SCENARIO` works without one"),
        (["run", "one-scope", "--record", "/no/such/dir/a.jsonl"], "cannot record there: No such file or directory"),
        (["run", "one-scope", "--record", "a.gz"], "a recording is written as .jsonl"),
    ],
)
def test_bad_input_is_one_line_and_status_2(args: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("cancelloscope: ")
    assert says in line


def test_the_version_and_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("cancelloscope 0.")
    assert main(["scenarios"]) == 0
    out = capsys.readouterr().out
    assert f"{'one-scope':<28} One scope, four lanes\n" in out
    assert main(["--help"]) == 0
    assert "replay" in capsys.readouterr().out


def test_check_says_one_line_for_each_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = scenario_files()["one-scope"], tmp_path / "bad.toml"
    bad.write_text("title = 1\n")
    assert main(["check", str(good)]) == 0
    assert capsys.readouterr() == (f"{good}: ok\n", "")
    assert main(["check", str(bad), str(good), str(tmp_path / "gone.toml")]) == 2
    out, err = capsys.readouterr()
    assert out == f"{good}: ok\n"
    first, second = err.splitlines()
    assert first == f"cancelloscope: {bad}:1: title: input should be a valid string, not 1 (and 2 more)"
    assert second == f"cancelloscope: {tmp_path}/gone.toml: No such file or directory"


def test_scenarios_are_searched_shown_whole_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "--search", "statement executing one scope", "--format", "json"]) == 0
    assert "one-scope" in [each["name"] for each in json.loads(capsys.readouterr().out)]
    assert main(["scenarios", "one-scope"]) == 0
    assert capsys.readouterr().out.startswith("one-scope: One scope, four lanes\n")
    assert main(["scenarios", "one-scope", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "one-scope"
    status = main(["scenarios", "--coverage", "--format", "json"])
    cells = json.loads(capsys.readouterr().out)
    assert status == (1 if cells["totals"]["all"]["missing"] else 0)
    assert main(["scenarios", "--coverage", "--search", "one-scope"]) == 1
    assert "missing" in capsys.readouterr().out


def test_a_file_that_is_no_recording_and_one_that_was_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("hello\n")
    assert main(["replay", str(bad), "--format", "table"]) == 2
    assert capsys.readouterr().err == f"cancelloscope: {bad}: is no recording of cancelloscope\n"
    bad.write_text('{"format":"cancelloscope","version":1}\n{"t":')
    assert main(["replay", str(bad), "--format", "table"]) == 0
    expected = f"cancelloscope: {bad}: cut: it ends in the middle of a line, after 0 events\n"
    assert capsys.readouterr() == ("", expected)


def test_a_terminal_that_is_too_small() -> None:
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    try:
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 70, 0, 0))
        done = subprocess.run(
            COMMAND, stdin=follower, stdout=follower, stderr=subprocess.PIPE, text=True, timeout=20, check=False
        )
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 2
    assert done.stderr == "cancelloscope: the terminal is 70x20: the console needs 80x24, make it larger\n"


@pytest.mark.parametrize(
    ("number", "status", "says"),
    [(signal.SIGINT, 130, "cancelloscope: interrupted\n"), (signal.SIGKILL, -signal.SIGKILL, "")],
)
def test_ctrl_c_ends_it_with_130_and_no_death_leaves_a_process(number: int, status: int, says: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", "one-scope", "--runs", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watched = psutil.Process(process.pid)
    while not (children := watched.children(recursive=True)):
        assert process.poll() is None, process.communicate()
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (status, says)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_start_up_imports_nothing_heavy() -> None:
    program = "import sys; from app.cli import main; main(['--version']); print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert not {"asyncio", "pydantic", "textual", "msgspec", "grpc", "psutil"} & set(done.stdout.split())
