"""What ``[expect]``, ``[lanes.expect]``, ``[teach]`` and ``fixed_in`` may say, and what each of their errors says."""

from __future__ import annotations

import pytest

from app.scenario import ScenarioError, parse
from app.scenario.releases import reached

GOOD = """\
title = "T"
summary = "S"
affects = "httpcore"
fixed_in = ["httpcore 1.0.10", "httpx 2.0"]

[expect]
skew = { done = "<= 50ms" }
order = ["http/1.1.client.done < b.client.done"]
violations = 0
leaked = "none"

[teach]
question = "Q?"
choices = ["a", "b"]
answer = 1
explanation = "because"
notes = "slowly"
link = "https://example.org/1"
claim = "it is so"
verdict = "imprecise"

[[lanes]]
protocol = "http/1.1"
phase = "response body"

[lanes.expect]
verdict = ["clean", "too late"]
client.done = ["present", "<= 50ms"]
wire.interrupt = "absent"
order = "client.done < wire.interrupt"
machine = { client = "Cancelled" }
outcome.caller = "cancelled"
zombie = "none"
residue = { handlers = 1 }
chunks = "accepted >= read"

[[lanes]]
name = "b"
protocol = "http/2"
phase = "response body"
"""


def test_what_is_said_is_kept() -> None:
    scenario = parse(GOOD, "x.toml")
    assert (scenario.affects, scenario.fixed_in) == ("httpcore", ["httpcore 1.0.10", "httpx 2.0"])
    assert scenario.teach.right == "b"
    first, second = scenario.lanes
    assert [path for path, _ in first.expect.wanted()] == ["client.done", "wire.interrupt"]
    assert list(second.expect.wanted()) == []
    assert parse(GOOD[: GOOD.index("[teach]")] + GOOD[GOOD.index("[[lanes]]") :], "x.toml").teach.right == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('affects = "httpcore"\n', "", 'x.toml:3: fixed_in: whose defect was fixed? write affects = "package"'),
        ('affects = "httpcore"', 'affects = "http core"', "x.toml:3: affects: the name of a package is needed, like"),
        ("httpcore 1.0.10", "httpcore", "x.toml:4: fixed_in.1: a package and its version are needed, like"),
        ('"httpx 2.0"', "2.0", "x.toml:4: fixed_in.2: a package and its version are needed, like"),
        ('"<= 50ms" }', '"<= 50" }', "x.toml:7: expect.skew.done: '50' has no unit"),
        ('"<= 50ms" }', '"50ms" }', "x.toml:7: expect.skew.done: '50ms' is no bound: write \"<= 50ms\""),
        ('"<= 50ms" }', '"<= none" }', "x.toml:7: expect.skew.done: '<= none' bounds nothing"),
        (
            "skew = { done",
            "skew = { told",
            "x.toml:7: expect.skew.told: unknown key: known are done, interrupt, cleanup",
        ),
        (
            "b.client.done",
            "c.client.done",
            "x.toml:8: expect.order: 'c.client.done' is no mark: write LANE.client.done wi",
        ),
        ("b.client.done", "b.client.interrupt", "x.toml:8: expect.order: 'b.client.interrupt' is no mark"),
        ("b.client.done", "done", "x.toml:8: expect.order: 'done' is no mark"),
        ("violations = 0", "violations = -1", "x.toml:9: expect.violations: '-1' is no count: a whole number"),
        ("violations = 0", "violations = true", "x.toml:9: expect.violations: a count is a number, or text like"),
        ("violations = 0", 'violations = "few"', "x.toml:9: expect.violations: 'few' is no bound of a count"),
        ('leaked = "none"', "leaked = 0", 'x.toml:10: expect.leaked: "none", or a table: residue'),
        ('question = "Q?"\n', "", "x.toml:13: teach.choices: choices and answer belong to a question"),
        ('choices = ["a", "b"]', 'choices = ["a"]', "x.toml:13: teach.question: a question needs choices"),
        ("answer = 1\n", "", "x.toml:13: teach.question: a question needs its answer: write answer = 0 for the first"),
        ("answer = 1", "answer = 2", "x.toml:15: teach.answer: answer counts from 0: the last choice is 1"),
        ("https://example.org/1", "issue 1", "x.toml:18: teach.link: a link is an address that begins with https://"),
        ('claim = "it is so"\n', "", "x.toml:19: teach.verdict: a claim and its verdict belong together"),
        ('verdict = "imprecise"\n', "", "x.toml:19: teach.claim: a claim and its verdict belong together"),
        ('"imprecise"', '"maybe"', "x.toml:20: teach.verdict: input should be 'true', 'false' or 'imprecise'"),
        ("notes =", "note =", "x.toml:17: teach.note: unknown key: did you mean notes?"),
        ('"too late"', '"late"', "x.toml:27: lanes.1.expect.verdict: there is no 'late': there are clean, zombie"),
        (
            '["present", "<= 50ms"]',
            "50",
            "x.toml:28: lanes.1.expect.client.done: text is needed here, or a list of texts",
        ),
        (
            '["present", "<= 50ms"]',
            "[]",
            "x.toml:28: lanes.1.expect.client.done: text is needed here, or a list of texts",
        ),
        ('"present", "<= 50ms"', '"absent", "FIN"', 'x.toml:28: lanes.1.expect.client.done: "absent" stands alone'),
        ('"present", "<= 50ms"', '" "', 'x.toml:28: lanes.1.expect.client.done: say "present", "absent", a bound'),
        ('"present", "<= 50ms"', '"FIN |"', 'x.toml:28: lanes.1.expect.client.done: say "present", "absent", a bound'),
        ("wire.interrupt =", "wire.done =", "x.toml:29: lanes.1.expect.wire.done: unknown key: known are interrupt"),
        (
            "client.done < wire.interrupt",
            "client.done",
            "x.toml:30: lanes.1.expect.order: 'client.done' is no order: w",
        ),
        (
            "client.done < wire.interrupt",
            "client.done <",
            "x.toml:30: lanes.1.expect.order: 'client.done <' is no order",
        ),
        (
            "client.done < wire",
            "client.done < tap",
            "x.toml:30: lanes.1.expect.order: a lane has no mark 'tap.interrupt'",
        ),
        (
            '"Cancelled"',
            '"Dead"',
            "x.toml:31: lanes.1.expect.machine.client: there is no 'Dead': there are Idle, Streaming",
        ),
        (
            '"cancelled"',
            '"dead"',
            "x.toml:32: lanes.1.expect.outcome.caller: there is no 'dead': there are completed, f",
        ),
        ('zombie = "none"', 'zombie = "some"', "x.toml:33: lanes.1.expect.zombie: 'some' is no bound"),
        (
            "handlers = 1",
            "handlers = 1.5",
            "x.toml:34: lanes.1.expect.residue.handlers: a count is a number, or text like",
        ),
        ("handlers = 1", 'handlers = "> x"', "x.toml:34: lanes.1.expect.residue.handlers: 'x' is no count"),
        ("{ handlers = 1 }", '"some"', 'x.toml:34: lanes.1.expect.residue: "none", or a table'),
        (
            "accepted >= read",
            "sent >= read",
            "x.toml:35: lanes.1.expect.chunks: 'sent >= read' is no relation of accept",
        ),
        (
            "accepted >= read",
            "accepted",
            "x.toml:35: lanes.1.expect.chunks: 'accepted' is no relation of accepted, on_",
        ),
        ("accepted >= read", f"read > {10**13}", "x.toml:35: lanes.1.expect.chunks: '10000000000000' is no count"),
    ],
)
def test_an_error_names_line_and_remedy(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(ScenarioError) as caught:
        parse(GOOD.replace(old, new, 1), "x.toml")
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        ({}, ""),
        ({"httpcore": "1.0.9"}, ""),
        ({"httpcore": "1.0.10"}, "httpcore 1.0.10"),
        ({"httpcore": "1.1"}, "httpcore 1.0.10"),
        ({"httpcore": "1.0.9", "httpx": "2"}, "httpx 2.0"),
        ({"httpcore": "1.0.10rc1"}, "httpcore 1.0.10"),
        ({"httpcore": "not installed"}, ""),
    ],
)
def test_a_release_is_reached_by_number_and_not_by_spelling(installed: dict[str, str], found: str) -> None:
    assert reached(["httpcore 1.0.10", "httpx 2.0"], installed) == found
