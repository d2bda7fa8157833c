"""Lanes that were changed by hand, checked as a file would be that says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import ValidationError

from app.draft import lane_of
from app.scenario.errors import ScenarioError, problem
from app.scenario.lines import Path
from app.scenario.model import Scenario
from app.settings import RunSettings
from probes import catalogue
from probes.units import seconds_text

OWN = "own lanes"
"""What stands in the place of a scenario's name where there is none."""


def amend(tables: Sequence[Mapping[str, Any]], base: RunSettings) -> RunSettings:
    """What ``base`` becomes with these ``[[lanes]]`` tables instead of its own. Raises ScenarioError."""
    text = {
        "title": base.title,
        "summary": base.summary,
        "lanes": list(tables),
        "cause": _cause(tables, base),
        "deadline": seconds_text(base.deadline),
        "hold": seconds_text(base.hold),
        "settle": seconds_text(base.settle),
    }
    try:
        amended = Scenario.model_validate(text).to_settings(base.scenario)
    except ValidationError as error:
        path, says = problem(error)
        raise ScenarioError(_of_lane(path, says, tables)) from None
    return replace(amended, lesson=base.lesson)


def one_lane(protocol: str, phase: str, cause: str) -> RunSettings:
    """A run with one lane, which is ended by this cause in this phase. Raises ScenarioError where that cannot be."""
    who: Literal["key", "timeout"] = "timeout" if cause in catalogue.TIMERS else "key"
    base = RunSettings(OWN, f"{protocol}: {cause} in {phase}", (), cause=who)
    return amend([lane_of(protocol, phase, cause)], base)


def _of_lane(path: Path, says: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """The lane's name, where ``says`` has its number."""
    match path:
        case ("lanes", int(number), *_):
            table = tables[number]
            return f"{table.get('name') or table['protocol']}: {says.removeprefix(f'lanes.{number + 1}').lstrip('.: ')}"
    return says


def _cause(tables: Sequence[Mapping[str, Any]], base: RunSettings) -> str:
    """Who cancels: nobody only as long as each lane has a timer of its own."""
    struck = [table for table in tables if not catalogue.BY_THEMSELVES & table.get("options", {}).keys()]
    timed = all(table.get("cause") in catalogue.TIMERS for table in struck)
    kept = {"timeout": timed, "deadline": base.deadline is not None}
    return base.cause if kept.get(base.cause, True) else "key"
