"""Scenarios as text: the list, a search in it, and one of them whole."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from app.scenario import LaneSpec, Loaded, Scenario
from app.table import shown
from probes.units import seconds_text

_NAME = 28
_COLUMNS = 100
_KEY = 14


def search(scenarios: Iterable[Loaded], text: str) -> list[Loaded]:
    """Those in which every word of ``text`` occurs: in the name, what they say of themselves, or their lanes."""
    words = text.casefold().split()
    return [each for each in scenarios if all(word in _searched(each) for word in words)]


def _searched(loaded: Loaded) -> str:
    scenario = loaded.scenario
    lanes = (
        f"{lane.lane} {lane.protocol} {lane.phase} {lane.cause} {lane.behaviour} {' '.join(lane.middleware)} "
        f"{' '.join(fault.kind for fault in lane.faults)}"
        for lane in scenario.lanes
    )
    head = (loaded.name, scenario.title, scenario.summary, scenario.teach.claim, scenario.cause, scenario.affects or "")
    return " ".join((*head, *lanes)).casefold()


def table(scenarios: Iterable[Loaded]) -> str:
    """Name and title, and under them the summary."""
    lines: list[str] = []
    for each in scenarios:
        lines += [f"{each.name:<{_NAME}} {each.scenario.title}", f"{'':<{_NAME}} {each.scenario.summary}"]
    return "\n".join(shown(line) for line in lines)


def as_json(loaded: Loaded) -> dict[str, Any]:
    """The list's entry: what one chooses by."""
    scenario = loaded.scenario
    lanes = [
        {"name": lane.lane, "protocol": lane.protocol, "phase": lane.phase, "cause": lane.cause}
        for lane in scenario.lanes
    ]
    return {
        "name": loaded.name,
        "title": scenario.title,
        "summary": scenario.summary,
        "cause": scenario.cause,
        "lanes": lanes,
        "affects": scenario.affects,
        "fixed_in": scenario.fixed_in,
    }


def whole_as_json(loaded: Loaded) -> dict[str, Any]:
    """Everything that the file says, as it says it."""
    return {"name": loaded.name, **tomllib.loads(loaded.text)}


def whole(loaded: Loaded) -> str:
    """A scenario for people: what happens, what to expect, what it teaches, where it comes from."""
    scenario, said = loaded.scenario, tomllib.loads(loaded.text)
    run = [_pair(key, value) for key, value in facts(scenario)]
    lines = [f"{loaded.name}: {scenario.title}", *wrap(scenario.summary, _COLUMNS), "", *run]
    for lane, raw in zip(scenario.lanes, said["lanes"], strict=True):
        lines += ["", *_lane(lane, raw)]
    if expect := said.get("expect"):
        lines += ["", "between the lanes", *_expected(expect)]
    lines += _teach(scenario)
    lines += ["", _pair("file", loaded.source)]
    return "\n".join(shown(line) for line in lines)


def facts(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What holds for the whole run: (word, value)."""
    how = {
        "key": f"a key, {seconds_text(scenario.hold)} after all lanes are in their phase",
        "deadline": f"the scope's deadline, {seconds_text(scenario.deadline)} after the start",
        "timeout": "nobody: each lane ends by its own timer",
    }
    yield "cancelled by", how[scenario.cause]
    yield "settles in", seconds_text(scenario.settle)
    if scenario.affects:
        fixed = ", ".join(scenario.fixed_in) or "no release yet"
        yield "defect of", f"{scenario.affects}, fixed in {fixed}"


def _lane(lane: LaneSpec, raw: Mapping[str, Any]) -> Iterator[str]:
    yield f"lane {lane.lane}"
    for key, value in raw.items():
        if key not in ("name", "expect", "faults"):
            yield _pair(key, _value(value))
    for fault in raw.get("faults", ()):
        yield _pair("fault", _value(fault))
    yield from _expected(raw.get("expect", {}))


def _expected(expect: Mapping[str, Any]) -> Iterator[str]:
    for path, value in _flat(expect):
        yield _pair("expected", f"{path}: {_value(value)}")


def _flat(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            yield name, value


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_value(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _teach(scenario: Scenario) -> Iterator[str]:
    teach = scenario.teach
    if teach.question:
        yield ""
        yield from _text("question", teach.question)
        for number, choice in enumerate(teach.choices):
            yield f"{'':<{_KEY}}  {'*' if number == teach.answer else '-'} {choice}"
    told = (("claim", teach.claim), ("verdict", teach.verdict or ""), ("explanation", teach.explanation))
    for key, text in (*told, ("notes", teach.notes), ("link", teach.link)):
        if text:
            yield from ("", *_text(key, text))


def _text(key: str, text: str) -> Iterator[str]:
    first, *others = wrap(" ".join(text.split()), _COLUMNS, break_long_words=False, break_on_hyphens=False) or [""]
    yield _pair(key, first)
    for line in others:
        yield _pair("", line)


def _pair(key: str, value: str) -> str:
    return f"  {key:<{_KEY}}{value}"
