"""From runs to one word: ok, differs, missed, aborted, or a defect that is gone."""

from __future__ import annotations

import json

import pytest

from app.headless import Ran
from app.judgement import Judgement, judge, total
from app.referee import Referee
from app.scenario import Loaded, Scenario, parse
from probes.state import RunState

from .test_expect import GRPC, HEAD, HTTP, told

AS_SEEN = 'expect.verdict = "clean"\n'
OTHERWISE = 'expect.verdict = "leak"\nexpect.zombie = ">= 1s"\n'


def scenario(lane: str = AS_SEEN, head: str = "") -> Scenario:
    return parse(f"{HEAD}{head}{GRPC}{lane}{HTTP}", "x.toml")


def line(*args: object, **fields: object) -> str:
    found = judge("x", *args, **fields)  # type: ignore[arg-type]
    assert found.good is (found.status in ("ok", "gone"))
    return found.line()


def test_as_expected_in_every_run() -> None:
    assert line(scenario(), [told(), told()]) == "ok       x"


def test_a_difference_is_told_once_and_counted() -> None:
    runs = [told(), told(), told(None)]
    expected = (
        "differs  x                            grpc verdict: wanted leak, got clean (in 2 of 2 runs) (and 1 more)"
    )
    assert line(scenario(OTHERWISE), runs) == expected
    assert judge("x", scenario(OTHERWISE), runs).lines() == [
        "differs  x",
        "  grpc verdict: wanted leak, got clean (in 2 of 2 runs)",
        "  grpc zombie: wanted >= 1s, got 0s (in 2 of 2 runs)",
    ]
    assert line(scenario('expect.verdict = "leak"\n'), [told()]).endswith("grpc verdict: wanted leak, got clean")


def test_a_missed_run_does_not_count_but_is_told() -> None:
    assert line(scenario(), [told(), told(None)]).endswith(
        "1 of 2 runs missed: grpc never was in the phase 'mid-stream'"
    )
    found = judge("x", scenario(), [told(None)])
    assert (found.status, found.good) == ("missed", False)
    assert found.line().endswith("grpc never was in the phase 'mid-stream' (and 1 more)")
    assert judge("x", scenario(), []).line().endswith("no run has started")


def test_an_aborted_run_is_no_proof() -> None:
    assert line(scenario(), [told()], ["run 1: lab died"]) == "aborted  x                            run 1: lab died"


DEFECT = 'affects = "httpcore"\nfixed_in = ["httpcore 1.0.10"]\n'


@pytest.mark.parametrize(
    ("lane", "head", "version", "status", "says"),
    [
        (AS_SEEN, DEFECT, "1.0.9", "ok", ""),
        (AS_SEEN, DEFECT, "1.1", "differs", "expected defect still shows: httpcore 1.1, fixed in httpcore 1.0.10"),
        (OTHERWISE, DEFECT, "1.1", "gone", "expected defect is gone: httpcore 1.1, fixed in httpcore 1.0.10"),
        (
            OTHERWISE,
            DEFECT,
            "1.0.9",
            "differs",
            "expected defect is gone: httpcore 1.0.9 no longer shows it, or shows it in another way: grpc verdict",
        ),
        (
            OTHERWISE,
            'affects = "httpcore"\n',
            "9.9",
            "differs",
            "expected defect is gone: httpcore 9.9 no longer shows",
        ),
    ],
)
def test_a_defect_that_is_gone_is_said_in_words(lane: str, head: str, version: str, status: str, says: str) -> None:
    found = judge("x", scenario(lane, head), [told()], versions={"httpcore": version})
    assert found.status == status
    assert found.line().startswith(f"{status:<8} x {'':<26} {says}".rstrip())


def test_an_unknown_version_is_not_beyond_any() -> None:
    assert judge("x", scenario(OTHERWISE, DEFECT), [told()]).note.startswith(
        "expected defect is gone: httpcore (version unknown) no longer"
    )


def test_the_json_says_the_same_and_control_characters_are_shown() -> None:
    found = Judgement("x", "aborted", 2, ("\x1b[31mred",))
    assert found.as_json() == {"scenario": "x", "status": "aborted", "runs": 2, "reasons": ["\x1b[31mred"], "note": ""}
    assert found.line().endswith("\\x1b[31mred")


def test_the_total_counts_what_there_is() -> None:
    words = ("ok", "missed", "ok", "skipped", "gone")
    assert total(Judgement("x", word, 1) for word in words) == "5 scenarios: 2 ok, 1 gone, 1 skipped, 1 missed"
    assert total([]) == "0 scenarios: none"


def refereed(form: str, *, one: bool, runs: list[RunState]) -> tuple[Referee, list[str]]:
    said: list[str] = []
    loaded = Loaded("x", "", scenario(OTHERWISE))
    referee = Referee([loaded, loaded], form, one=one, say=said.append)
    referee.take(0, Ran(tuple(runs), (), {}))
    referee.take(1, Ran((), ("run 2: lab died",), {}))
    referee.end()
    return referee, said


def test_the_referee_says_a_line_a_scenario_and_the_total() -> None:
    referee, said = refereed("table", one=False, runs=[told()])
    assert [line.split()[0] for line in said] == ["differs", "aborted", "2"]
    assert said[2] == "2 scenarios: 1 differs, 1 aborted"
    assert not referee.content
    assert referee.aborted == {"run 2: lab died"}


def test_what_could_not_be_tried_is_said_with_its_remedy_and_is_no_failure() -> None:
    said: list[str] = []
    referee = Referee([Loaded("x", "", scenario())], "table", one=False, say=said.append)
    referee.take(0, Ran((), (), {}, "httpx2 is not installed"))
    assert said == ["skipped  x                            httpx2 is not installed"]
    assert referee.content


def test_of_one_scenario_the_referee_says_every_reason_and_no_total() -> None:
    _, said = refereed("table", one=True, runs=[told()])
    first, second, third = said[0].splitlines()
    assert (first, second) == ("differs  x", "  grpc verdict: wanted leak, got clean")
    assert third.startswith("  grpc zombie: ")
    assert len(said) == 2


def test_the_referee_looks_up_the_version_of_a_package_that_the_lab_does_not_name() -> None:
    said: list[str] = []
    loaded = Loaded("x", "", scenario(OTHERWISE, 'affects = "pydantic"\nfixed_in = ["pydantic 1.0"]\n'))
    Referee([loaded], "table", one=False, say=said.append).take(0, Ran((told(),), (), {"grpcio": "1"}))
    assert said[0].startswith("gone     x")
    assert ", fixed in pydantic 1.0" in said[0]


def test_the_referee_speaks_json_lines() -> None:
    _, said = refereed("json", one=False, runs=[told()])
    assert [json.loads(line)["status"] for line in said] == ["differs", "aborted"]
