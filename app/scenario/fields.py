"""What the tables of a scenario are made of: strict models, times with their unit, words out of a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from probes.units import parse_duration


class Misfit(ValueError):
    """Keys that are right by themselves do not fit together; ``path`` leads from their table to the one to change."""

    def __init__(self, text: str, *path: str | int) -> None:
        super().__init__(text)
        self.path = path


class Strict(BaseModel):
    """No key that is not known, no value that would have to be converted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _timeout(value: object) -> float | None:
    if not isinstance(value, str):
        raise ValueError(f'a time is text with its unit: write "{shown(value)}s" or "none"')
    return parse_duration(value)


def _time(value: object) -> float:
    seconds = _timeout(value)
    if seconds is None:
        raise ValueError('a time is needed here, like "250ms": "none" would be no end')
    return seconds


NUMBER_AND_UNIT = r"(\d+(\.\d*)?|\.\d+)\s*[A-Za-zµμ]+"
TIME = rf"^\s*{NUMBER_AND_UNIT}\s*$"
"""A time as far as an editor checks it; ``probes.units`` knows the units."""
TIMEOUT = rf"^\s*({NUMBER_AND_UNIT}|[A-Za-z]+|-)\s*$"

Time = Annotated[float, BeforeValidator(_time), WithJsonSchema({"type": "string", "pattern": TIME})]
"""Seconds, from text like ``250ms``."""
Timeout = Annotated[float | None, BeforeValidator(_timeout), WithJsonSchema({"type": "string", "pattern": TIMEOUT})]
"""The same, or None from ``none``."""


def listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def shown(value: object) -> str:
    """A value of the file in an error: one line, and not a long one."""
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(value))
    return text if len(text) <= 60 else f"{text[:57]}..."
