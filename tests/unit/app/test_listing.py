"""Scenarios as text: found by words, shown whole."""

from __future__ import annotations

from app.listing import as_json, search, table, whole, whole_as_json
from app.scenario import Loaded, parse

from .test_expect import HEAD, HTTP
from .test_scenario_expect import GOOD
from .test_scenario_lanes import FULL


def loaded(name: str, text: str) -> Loaded:
    return Loaded(name, text, parse(text, name), f"/somewhere/{name}.toml")


ALL = [loaded("zombies", GOOD), loaded("slow-reader", HEAD + FULL), loaded("plain", HEAD + HTTP)]


def test_every_word_must_occur_in_name_text_or_lanes() -> None:
    def found(text: str) -> list[str]:
        return [each.name for each in search(ALL, text)]

    assert found("") == ["zombies", "slow-reader", "plain"]
    assert found("HTTP/2 body") == ["zombies", "plain"]
    assert found("postgres lose-cancel") == ["slow-reader"]
    assert found("httpcore") == ["zombies"]
    assert found("it is so") == ["zombies"], "its claim"
    assert found("grpc") == []


def test_the_list_has_name_title_and_summary() -> None:
    assert table(ALL[2:]) == f"{'plain':<28} T\n{'':<28} S"


def test_the_json_has_what_one_chooses_by() -> None:
    found = as_json(ALL[1])
    assert found["lanes"] == [
        {"name": "slow reader", "protocol": "postgres", "phase": "rows streaming", "cause": "timeout"}
    ]
    assert whole_as_json(ALL[0])["teach"]["answer"] == 1


def test_one_is_shown_whole() -> None:
    lines = whole(ALL[0]).splitlines()
    for line in (
        "zombies: T",
        "  cancelled by  a key, 300ms after all lanes are in their phase",
        "  defect of     httpcore, fixed in httpcore 1.0.10, httpx 2.0",
        "lane b",
        "  expected      client.done: present, <= 50ms",
        "  expected      outcome.caller: cancelled",
        "between the lanes",
        "  expected      skew.done: <= 50ms",
        "  question      Q?",
        "                - a",
        "                * b",
        "  claim         it is so",
        "  verdict       imprecise",
        "  explanation   because",
        "  link          https://example.org/1",
        "  file          /somewhere/zombies.toml",
    ):
        assert line in lines, line


def test_faults_options_and_the_other_causes_are_shown() -> None:
    lines = whole(ALL[1]).splitlines()
    assert "  fault         kind slow, direction server>client, rate 1024, at phase, seconds 2s" in lines
    assert "  options       pool_size 3, check_interval 0.5, second_cancel true" in lines
    deadline = HEAD + 'cause = "deadline"\ndeadline = "500ms"\naffects = "asyncpg"\n' + HTTP
    lines = whole(loaded("d", deadline)).splitlines()
    assert "  cancelled by  the scope's deadline, 500ms after the start" in lines
    assert "  defect of     asyncpg, fixed in no release yet" in lines
    timer = HTTP.replace("response body", "response headers") + 'cause = "read timeout"\ntimeouts = { read = "1s" }\n'
    lines = whole(loaded("t", f'{HEAD}cause = "timeout"\n{timer}delay = "9s"\n')).splitlines()
    assert "  cancelled by  nobody: each lane ends by its own timer" in lines


def test_control_characters_of_a_file_are_shown_and_never_obeyed() -> None:
    text = HEAD.replace('"S"', '"\\u001b[31m red"') + HTTP
    for said in (whole(loaded("x", text)), table([loaded("x", text)])):
        assert "\x1b" not in said
        assert "\\x1b[31m red" in said
