"""Releases of packages: in which of them a defect is gone, and whether one of those is installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_PACKAGE = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"\d{1,9}(?:\.\d{1,9}){0,5}"


def _package(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_PACKAGE, value):
        raise ValueError('the name of a package is needed, like "httpcore"')
    return value


def _release(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(f"{_PACKAGE} {_VERSION}", value):
        raise ValueError('a package and its version are needed, like "httpcore 1.0.10"')
    return value


Package = Annotated[str, BeforeValidator(_package), WithJsonSchema({"type": "string", "pattern": f"^{_PACKAGE}$"})]
Release = Annotated[
    str, BeforeValidator(_release), WithJsonSchema({"type": "string", "pattern": f"^{_PACKAGE} {_VERSION}$"})
]


def reached(releases: Iterable[str], installed: Mapping[str, str]) -> str:
    """The first of ``releases`` that what is installed has reached or passed; empty for none."""
    for release in releases:
        package, _, version = release.partition(" ")
        if package in installed and _numbers(installed[package]) >= _numbers(version):
            return release
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that ``version`` begins with, without zeros at their end. A pre-release counts as its release."""
    match = re.match(_VERSION, version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
