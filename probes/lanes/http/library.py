"""Which client is under test: httpx, or httpx2, its fork with the same interface."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

_PARTS = {"httpx": ("httpx", "httpcore"), "httpx2": ("httpx2", "httpcore2")}

_TIMERS = {"ConnectTimeout": "connect", "ReadTimeout": "read", "WriteTimeout": "write", "PoolTimeout": "pool"}


class NotInstalled(RuntimeError):
    """The client that a lane asks for is not there; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Library:
    """``httpx`` and ``httpcore`` are the two modules, whatever they are called."""

    name: str
    httpx: Any
    httpcore: Any


def load(name: str) -> Library:
    """The library ``name``, imported at its first use. Raises NotInstalled."""
    try:
        return Library(name, *(importlib.import_module(part) for part in _PARTS[name]))
    except ModuleNotFoundError as error:
        raise NotInstalled(f"{error.name} is not there: pip install 'cancelloscope[{name}]'") from None


def timer_of(error: BaseException) -> str | None:
    """Which of the library's timeouts raised ``error``; the same names in both libraries."""
    return _TIMERS.get(type(error).__name__)
