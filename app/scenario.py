"""Scenarios: TOML files, checked strictly. An error names file, line, and what would be right."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from app.paths import scenario_files
from app.settings import TIMEOUTS, RunSettings
from probes.events import LanePlan
from probes.units import parse_duration

PHASES: dict[str, tuple[str, ...]] = {
    "grpc": ("mid-stream",),
    "http/1.1": ("response body", "response headers", "request body"),
    "http/2": ("response body", "response headers", "request body"),
    "postgres": ("statement executing", "rows streaming"),
}
"""Where in its life a call can be when the cancel comes, by protocol."""

_DELAYED = ("response headers", "statement executing")
"""Phases that last as long as the lane's ``delay``."""


class ScenarioError(ValueError):
    """One line: file, line, what is wrong and what would be right."""


class _Misfit(ValueError):
    """Keys that are right by themselves do not fit together; ``path`` leads from their table to the one to change."""

    def __init__(self, text: str, *path: str | int) -> None:
        super().__init__(text)
        self.path = path


def _timeout(value: object) -> float | None:
    if not isinstance(value, str):
        raise ValueError(f'a time is text with its unit: write "{value}s" or "none"')
    return parse_duration(value)


def _time(value: object) -> float:
    seconds = _timeout(value)
    if seconds is None:
        raise ValueError('a time is needed here, like "250ms": "none" would be no end')
    return seconds


Time = Annotated[float, BeforeValidator(_time)]
Timeout = Annotated[float | None, BeforeValidator(_timeout)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class LaneSpec(_Strict):
    """One ``[[lanes]]`` table. The lane is called like its protocol."""

    protocol: Literal["grpc", "http/1.1", "http/2", "postgres"]
    phase: str
    behaviour: Literal["cooperative", "slow-cleanup"] = "cooperative"
    delay: Time = 0.0
    chunks: int = Field(default=1000, ge=1, le=1_000_000)
    size: int = Field(default=1024, ge=1, le=1 << 20)
    interval: Time = 0.02
    timeouts: dict[str, Timeout] = {}

    @model_validator(mode="after")
    def _fits(self) -> LaneSpec:
        if self.phase not in PHASES[self.protocol]:
            right = ", ".join(PHASES[self.protocol])
            raise _Misfit(f"{self.protocol} has no phase {self.phase!r}: it has {right}", "phase")
        if self.phase in _DELAYED and not self.delay:
            raise _Misfit(f'the phase {self.phase!r} lasts as long as delay: write delay = "30s"', "phase")
        for name, seconds in self.timeouts.items():
            if name not in TIMEOUTS[self.protocol]:
                right = ", ".join(TIMEOUTS[self.protocol])
                raise _Misfit(f"{self.protocol} has no timeout {name!r}: it has {right}", "timeouts", name)
            if seconds == 0:
                raise _Misfit('a timeout must be above 0, or "none"', "timeouts", name)
        return self

    def to_plan(self) -> LanePlan:
        return LanePlan(lane=self.protocol, **self.model_dump())


class Scenario(_Strict):
    """A whole file."""

    title: str
    summary: str
    lanes: list[LaneSpec] = Field(min_length=1)
    cause: Literal["key", "deadline", "timeout"] = "key"
    deadline: Timeout = None
    hold: Time = 0.3
    settle: Time = 1.0

    @model_validator(mode="after")
    def _fits(self) -> Scenario:
        protocols: list[str] = [lane.protocol for lane in self.lanes]
        if twice := [name for name in PHASES if protocols.count(name) > 1]:
            second = protocols.index(twice[0], protocols.index(twice[0]) + 1)
            raise _Misfit(f"{twice[0]} is there twice: a run has one lane for each protocol", "lanes", second)
        if self.deadline == 0:
            raise _Misfit('a deadline must be above 0, or "none"', "deadline")
        if self.cause == "deadline" and self.deadline is None:
            raise _Misfit('the cause "deadline" needs one: write deadline = "500ms"', "cause")
        for lane in self.lanes if self.cause == "timeout" else ():
            if not any(lane.timeouts.values()):
                right = ", ".join(TIMEOUTS[lane.protocol])
                raise _Misfit(f'the cause "timeout" needs one for {lane.protocol}: {right}', "cause")
        return self

    def to_settings(self, name: str) -> RunSettings:
        """What a run of it starts from, before anybody changes a timeout."""
        return RunSettings(
            scenario=name,
            title=self.title,
            lanes=tuple(lane.to_plan() for lane in self.lanes),
            deadline=self.deadline,
            settle=self.settle,
            hold=self.hold,
            cause=self.cause,
        )


class Loaded:
    """A scenario that was read: its name, the file's text (for a recording's header), and what it says."""

    def __init__(self, name: str, text: str, scenario: Scenario) -> None:
        self.name, self.text, self.scenario = name, text, scenario

    @property
    def settings(self) -> RunSettings:
        return self.scenario.to_settings(self.name)


def find(name: str) -> Loaded:
    """The scenario ``name``: a shipped one, or a path that ends in ``.toml``. Raises ScenarioError."""
    if name.endswith(".toml") or "/" in name:
        return load(Path(name))
    files = scenario_files()
    if name in files:
        return load(files[name])
    near = difflib.get_close_matches(name, files, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(files)}"
    raise ScenarioError(f"no scenario is called {name!r}: {hint}")


def load(path: Path) -> Loaded:
    """Read and check one file. Raises ScenarioError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from None
    return Loaded(path.stem, text, parse(text, str(path)))


def parse(text: str, file: str) -> Scenario:
    """Check ``text``; ``file`` is named in errors. Raises ScenarioError."""
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", where)
        raise ScenarioError(f"{file}:{line[1] if line else len(text.splitlines())}: no TOML: {what}") from None
    except ValidationError as error:
        raise ScenarioError(_explain(error, text, file)) from None


def _explain(error: ValidationError, text: str, file: str) -> str:
    # A misspelt key is both unknown and missing: the first says more.
    errors = sorted(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    first = errors[0]
    path = [*first["loc"], *getattr(first.get("ctx", {}).get("error"), "path", ())]
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in path)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{file}:{_line(text, path)}: {where}: {_right(first)}{more}"


def _right(error: Any) -> str:
    """pydantic's words in ours, where they do not say what would be right."""
    key, kind = str(error["loc"][-1]) if error["loc"] else "", error["type"]
    if kind == "extra_forbidden":
        known = list(LaneSpec.model_fields if error["loc"][0] == "lanes" else Scenario.model_fields)
        near = difflib.get_close_matches(key, known, n=1)
        return f"unknown key: did you mean {near[0]}?" if near else f"unknown key: known are {', '.join(known)}"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, not {error['input']!r}"


# --- which line a key is on ---------------------------------------------------------------------------


def _line(text: str, path: list[int | str]) -> int:
    """The line of ``path``, or of the longest part of it that has a line of its own; 1 for none."""
    lines = dict(_keys(text))
    while path:
        if (found := lines.get(tuple(path))) is not None:
            return found
        path = path[:-1]
    return 1


def _keys(text: str) -> Iterator[tuple[tuple[int | str, ...], int]]:
    """(path, line) of each table header and each key, arrays of tables counted from 0."""
    table: tuple[int | str, ...] = ()
    counts: dict[tuple[int | str, ...], int] = {}
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        plain = line.strip()
        skip, inside = inside, inside ^ (plain.count('"""') % 2 == 1)
        if skip:
            continue
        if plain.startswith("[["):
            name = _names(plain.strip("[] ").partition("]")[0])
            counts[name] = counts.get(name, -1) + 1
            table = (*name, counts[name])
            yield table, number
        elif plain.startswith("["):
            table = _within(_names(plain.strip("[] ").partition("]")[0]), counts)
            yield table, number
        elif "=" in plain and not plain.startswith("#"):
            yield (*table, *_names(plain.partition("=")[0])), number


def _within(name: tuple[int | str, ...], counts: Mapping[tuple[int | str, ...], int]) -> tuple[int | str, ...]:
    """``[lanes.timeouts]`` belongs to the last of the ``[[lanes]]`` above it."""
    head = name[:1]
    return (*head, counts[head], *name[1:]) if head in counts else name


def _names(key: str) -> tuple[int | str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))
