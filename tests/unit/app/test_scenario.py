"""Scenarios are checked strictly: an error names the file, the line, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.paths import config_dir, scenario_files
from app.scenario import ScenarioError, find, load, parse

GOOD = """\
title = "T"
summary = "S"

[[lanes]]
protocol = "grpc"
phase = "mid-stream"

[[lanes]]
protocol = "postgres"
phase = "statement executing"
delay = "30s"

[lanes.timeouts]
command_timeout = "400ms"
"""


def test_a_good_one_becomes_settings() -> None:
    settings = parse(GOOD, "x.toml").to_settings("x")
    assert (settings.scenario, settings.cause, settings.hold, settings.settle) == ("x", "key", 0.3, 1.0)
    grpc, postgres = settings.lanes
    assert (grpc.lane, grpc.behaviour, grpc.timeouts) == ("grpc", "cooperative", {})
    assert (postgres.delay, postgres.timeouts) == (30.0, {"command_timeout": 0.4})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "T"', 'tilte = "T"', "x.toml:1: tilte: unknown key: did you mean title? (and 1 more)"),
        ('delay = "30s"', 'dealy = "30s"', "x.toml:11: lanes.2.dealy: unknown key: did you mean delay?"),
        ('summary = "S"', 'summary = "S"\nnonsense = 1', "x.toml:3: nonsense: unknown key: known are title"),
        ('delay = "30s"', "delay = 30", 'x.toml:11: lanes.2.delay: a time is text with its unit: write "30s"'),
        ('delay = "30s"', 'delay = "30"', 'x.toml:11: lanes.2.delay: \'30\' has no unit: write "30ms" or "30s"'),
        ('delay = "30s"', 'delay = "none"', "x.toml:11: lanes.2.delay: a time is needed"),
        ('delay = "30s"', "", "x.toml:10: lanes.2.phase: the phase 'statement executing' lasts as long as delay"),
        (
            '"mid-stream"',
            '"midstream"',
            "x.toml:6: lanes.1.phase: grpc has no phase 'midstream': it has connecting, first",
        ),
        ('protocol = "grpc"', 'protocol = "grcp"', "x.toml:5: lanes.1.protocol: input should be 'grpc', 'http/1.1'"),
        ('"400ms"', '"0s"', "x.toml:14: lanes.2.timeouts.command_timeout: a timeout must be above 0"),
        ("command_timeout", "read", "x.toml:14: lanes.2.timeouts.read: postgres has no timeout 'read': it has timeout"),
        ('"400ms"', '"4 parsecs"', "x.toml:14: lanes.2.timeouts.command_timeout: '4 parsecs' has an unknown unit"),
        ('"S"', '"S"\ncause = "deadline"', 'x.toml:3: cause: the cause "deadline" needs one'),
        (
            '"S"',
            '"S"\ncause = "timeout"',
            "x.toml:5: lanes.1.cause: nobody presses a key (the run's cause is timeout): as",
        ),
        ('"S"', '"S"\ncause = "fate"', "x.toml:3: cause: input should be 'key', 'deadline' or 'timeout', not 'fate'"),
        ('"S"', '"S"\ndeadline = "0s"', "x.toml:3: deadline: a deadline must be above 0"),
        ('"S"', '"S', "x.toml:2: no TOML: Illegal character"),
        ('protocol = "grpc"', 'protocol = "grpc"\nchunks = 0', "x.toml:6: lanes.1.chunks: input should be greater"),
        (
            'protocol = "grpc"',
            'protocol = "grpc"\nchunks = "9"',
            "x.toml:6: lanes.1.chunks: input should be a valid int",
        ),
        (
            '"grpc"\nphase = "mid-stream"',
            '"postgres"\nphase = "rows streaming"',
            "x.toml:8: lanes.2.name: two lanes are called postgres: give one of them a name",
        ),
    ],
)
def test_an_error_names_line_and_remedy(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(ScenarioError) as caught:
        parse(GOOD.replace(old, new, 1), "x.toml")
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_several_errors_are_counted() -> None:
    with pytest.raises(ScenarioError, match=r"\(and 1 more\)$"):
        parse(GOOD.replace('title = "T"\n', "").replace('delay = "30s"', 'dealy = "30s"'), "x.toml")


def test_a_multi_line_text_does_not_confuse_the_line_numbers() -> None:
    text = GOOD.replace('"S"', '"""\n[[lanes]]\nphase = 1\n"""').replace('"30s"', "30")
    with pytest.raises(ScenarioError, match=r"x\.toml:14: lanes\.2\.delay"):
        parse(text, "x.toml")


def test_an_inline_table_is_on_its_own_line() -> None:
    text = GOOD.replace('phase = "mid-stream"', 'phase = "mid-stream"\ntimeouts = { deadlin = "1s" }')
    with pytest.raises(ScenarioError, match=r"x\.toml:7: lanes\.1\.timeouts\.deadlin: grpc has no timeout"):
        parse(text, "x.toml")


@pytest.mark.parametrize("name", scenario_files())
def test_every_shipped_scenario_is_right_and_says_what_it_is(name: str) -> None:
    found = find(name)
    assert found.name == name
    assert found.scenario.title
    assert found.scenario.summary.endswith((".", "?"))
    assert found.settings.lanes


def test_the_shipped_ones_are_these() -> None:
    assert {"one-scope", "partial-rows", "lane-timeouts", "shared-deadline", "slow-cleanup"} <= set(scenario_files())
    causes = {name: find(name).settings.cause for name in scenario_files()}
    assert causes["lane-timeouts"] == "timeout"
    assert find("shared-deadline").settings.deadline == 0.5


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="no scenario is called 'one-scop': did you mean one-scope"):
        find("one-scop")
    with pytest.raises(ScenarioError, match=r"'xyzzy': `cancelloscope scenarios` lists them"):
        find("xyzzy")
    with pytest.raises(ScenarioError, match=r"is a recording: `cancelloscope replay a/b\.jsonl\.gz` opens it"):
        find("a/b.jsonl.gz")


def test_a_path_is_read_and_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(GOOD)
    assert load(mine).settings.scenario == find(str(mine)).name == "mine"
    with pytest.raises(ScenarioError, match=r"gone\.toml: No such file"):
        find(str(tmp_path / "gone.toml"))
    with pytest.raises(ScenarioError, match=r"Is a directory"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe4"')
    with pytest.raises(ScenarioError, match=r"latin\.toml: not UTF-8"):
        load(tmp_path / "latin.toml")


def test_configuration_is_found_inside_a_package_first_and_beside_it_otherwise(tmp_path: Path) -> None:
    app = tmp_path / "site" / "app"
    app.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="install cancelloscope anew"):
        config_dir(app)
    (tmp_path / "site" / "config" / "scenarios").mkdir(parents=True)
    assert config_dir(app) == tmp_path / "site" / "config"
    (app / "config" / "scenarios").mkdir(parents=True)
    assert config_dir(app) == app / "config"
