"""What is wrong with a scenario file, in one line: file, line, path, and what would be right."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from app.scenario.fields import listed, shown
from app.scenario.lines import Path, line_of
from app.scenario.model import Scenario


class ScenarioError(ValueError):
    """One line: file, line, what is wrong and what would be right."""


def no_toml(error: Exception, text: str, file: str) -> ScenarioError:
    """For what ``tomllib`` raises: also ValueError for a number of too many digits, RecursionError for too many [."""
    if isinstance(error, tomllib.TOMLDecodeError):
        what, _, where = str(error).partition(" (at ")
        match = re.match(r"line (\d+)", where)
        line = match[1] if match else text.count("\n") + 1
        return ScenarioError(f"{file}:{line}: no TOML: {shown(what)}")
    return ScenarioError(f"{file}:1: no TOML: {shown(error)}")


def explain(error: ValidationError, text: str, file: str) -> ScenarioError:
    path, says = problem(error)
    return ScenarioError(f"{file}:{line_of(text, path)}: {says}")


def problem(error: ValidationError) -> tuple[Path, str]:
    """Where the first thing that is wrong stands, and a line that says it."""
    # A misspelt key is both unknown and missing: the first says more.
    errors = sorted(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    first = errors[0]
    path: Path = (*first["loc"], *getattr(first.get("ctx", {}).get("error"), "path", ()))
    where = ".".join(str(part + 1) if isinstance(part, int) else shown(part) for part in path)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return path, f"{where}: {_right(first)}{more}"


def _right(error: Any) -> str:
    """pydantic's words in ours, where they do not say what would be right."""
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown(error["loc"])
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, not {shown(repr(error['input']))}"


def _unknown(path: Path) -> str:
    known = list(_table(path[:-1]).model_fields)
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    return f"unknown key: did you mean {near[0]}?" if near else f"unknown key: known are {listed(known)}"


def _table(path: Path) -> type[BaseModel]:
    """The model of the table at ``path``."""
    model: type[BaseModel] = Scenario
    for part in path:
        if isinstance(part, str):
            model = next(_models(model.model_fields[part].annotation))
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
