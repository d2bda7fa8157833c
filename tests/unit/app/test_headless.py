"""Headless runs over a child that writes real lines: results at once, equal in the replay, clean when things die."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import psutil
import pytest

from app.cli import main
from app.extras import lacking
from app.headless import NotReady, Ran, printer, run_headless
from app.pump import LabProcess
from app.settings import RunSettings
from probes.events import LanePlan

from .conftest import argv, settings


async def headless(
    *plans: RunSettings, how: str = "well", runs: int = 1, form: str = "json", **fields: object
) -> list[str]:
    make = partial(LabProcess, argv=argv(how), header=lambda: {"scenarios": {}})
    try:
        return await run_headless(make, plans, runs=runs, show=printer(form), **fields)  # type: ignore[arg-type]
    finally:
        assert not [child for child in psutil.Process().children() if "scripted_lab" in " ".join(child.cmdline())]


async def test_one_line_a_run_and_the_replay_gives_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    assert await headless(settings(), runs=5, record=path) == []
    live = capsys.readouterr().out
    found = [json.loads(line) for line in live.splitlines()]
    assert [one["run"] for one in found] == [1, 2, 3, 4, 5]
    assert {one["trigger"]["cause"] for one in found} == {"key"}
    assert all(one["lanes"]["http/2"]["wire"]["interrupt_us"] > 0 for one in found)
    assert main(["replay", str(path), "--format", "json"]) == 0
    assert capsys.readouterr().out == live


async def test_a_cause_that_needs_no_key_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert await headless(settings(deadline=0.05, cause="deadline")) == []
    assert json.loads(capsys.readouterr().out)["trigger"] == {"cause": "deadline"}


async def test_the_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert await headless(settings(), form="table") == []
    assert capsys.readouterr().out.startswith("one-scope  run 1  cause: key\nlane ")


async def test_a_lab_that_cannot_get_ready_says_which_part() -> None:
    with pytest.raises(NotReady, match=r"^postgresql: no PostgreSQL here: use --pg DSN$") as caught:
        await headless(settings(), how="never-ready")
    assert caught.value.status == 2


async def test_a_lab_that_dies_in_each_run_is_restarted_until_it_is_given_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(NotReady, match=r"^the lab died 3 times within 10 s \(SIGKILL\)$") as caught:
        await headless(settings("die"), runs=9)
    assert caught.value.status == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["aborted"] for one in found] == ["lab died: SIGKILL"] * 3


async def test_an_aborted_run_is_reported() -> None:
    assert await headless(settings("die")) == ["run 1: lab died: SIGKILL"]


async def test_a_lab_that_is_no_program() -> None:
    make = partial(LabProcess, argv=["/no/such/program"])
    with pytest.raises(FileNotFoundError):
        await run_headless(make, [settings()], runs=1, show=printer("json"))


async def test_an_output_that_is_closed_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", closed)
    with pytest.raises(BrokenPipeError):
        await headless(settings(), runs=1000)


async def test_several_scenarios_run_on_one_lab_with_numbers_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[tuple[int, Ran]] = []
    plans = (settings("first"), settings("second"))
    assert await headless(*plans, runs=2, ran=lambda number, ran: taken.append((number, ran))) == []
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["scenario"], one["run"]) for one in found] == [
        ("first", 1),
        ("first", 2),
        ("second", 3),
        ("second", 4),
    ]
    assert [(number, [run.run for run in ran.runs]) for number, ran in taken] == [(0, [1, 2]), (1, [3, 4])]
    assert taken[1][1].versions["python"] == "3"


async def test_a_scenario_that_kills_the_lab_is_told_and_the_next_one_runs(capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[Ran] = []
    assert await headless(settings("die"), settings(), ran=lambda _number, ran: taken.append(ran)) == [
        "run 1: lab died: SIGKILL"
    ]
    assert [(len(ran.runs), len(ran.aborted)) for ran in taken] == [(1, 1), (1, 0)]


async def test_a_lab_that_hangs_is_killed_and_the_next_scenario_has_a_new_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.headless._RUN_EXTRA", -58.0)
    taken: list[Ran] = []
    plans = (settings("hang"), settings())
    hung = ["run 1 did not end within 2 s: the lab hung, and was killed"]
    assert await headless(*plans, runs=2, ran=lambda _number, ran: taken.append(ran)) == hung
    assert [(len(ran.runs), list(ran.aborted)) for ran in taken] == [(1, hung), (2, [])]


async def test_a_lab_that_was_given_up_comes_back_for_the_next_scenario() -> None:
    taken: list[Ran] = []
    why = await headless(settings("die"), settings(), runs=4, ran=lambda _number, ran: taken.append(ran))
    assert why[:3] == [f"run {number}: lab died: SIGKILL" for number in (1, 2, 3)]
    assert why[3:] == ["the lab died 3 times within 10 s (SIGKILL)"]
    assert [(len(ran.runs), len(ran.aborted)) for ran in taken] == [(3, 4), (4, 0)]


async def test_what_is_not_installed_is_left_out() -> None:
    taken: list[tuple[int, Ran]] = []
    plans = (settings("first"), settings("second"))
    assert (
        await headless(
            *plans,
            lacks=lambda each: "a thing is missing" if each.scenario == "first" else "",
            ran=lambda number, ran: taken.append((number, ran)),
        )
        == []
    )
    assert [(number, len(ran.runs), ran.skipped) for number, ran in taken] == [(0, 0, "a thing is missing"), (1, 1, "")]


def test_a_client_that_is_an_extra_is_lacking_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = LanePlan(lane="http/1.1", protocol="http/1.1", phase="response body", options={"client": "httpx2"})
    both = settings(lanes=(plan, plan))
    assert (lacking(settings()), lacking(both)) == ("", "")
    monkeypatch.setattr("app.extras.find_spec", lambda _name: None)
    assert lacking(both) == "httpx2 is not installed: pip install 'cancelloscope[httpx2]'"
    assert lacking(settings()) == ""
