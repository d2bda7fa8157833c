"""Sets of timeouts to choose from: ``config/presets.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.paths import config_dir
from app.settings import SCOPE, TIMEOUTS, RunSettings
from probes.units import parse_duration


class PresetError(ValueError):
    """One line: which file, which preset, and what would be right."""


@dataclass(frozen=True, slots=True)
class Preset:
    """``values``: seconds (None is off) by protocol, and in it by the client's own name; "" is the scope."""

    name: str
    help: str
    values: Mapping[str, Mapping[str, float | None]]

    def on(self, settings: RunSettings) -> RunSettings:
        """The same run with these timeouts; what the preset does not name is left."""
        for lane, protocol in ((SCOPE, SCOPE), *((plan.lane, plan.protocol) for plan in settings.lanes)):
            for name, seconds in self.values.get(protocol, {}).items():
                settings = settings.with_timeout(lane, name, seconds)
        return settings


def read_presets(path: Path) -> tuple[Preset, ...]:
    """Raises PresetError, also for a file that cannot be read."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("presets", [])
        return tuple(_preset(table) for table in tables)
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise PresetError(f"{path.name}: {error}") from None


@cache
def shipped() -> tuple[Preset, ...]:
    """Raises PresetError where the installation has lost them."""
    return read_presets(config_dir() / "presets.toml")


def _preset(table: dict[str, Any]) -> Preset:
    name, words = str(table["name"]), str(table["help"])
    values: dict[str, dict[str, float | None]] = {}
    for key, timeouts in table.items():
        if key in ("name", "help"):
            continue
        protocol = SCOPE if key == "scope" else key
        if protocol not in TIMEOUTS:
            raise ValueError(f"preset {name!r}: there is no protocol {key!r}")
        values[protocol] = {each: _seconds(name, protocol, each, text) for each, text in timeouts.items()}
    return Preset(name, words, values)


def _seconds(preset: str, protocol: str, name: str, text: str) -> float | None:
    if name not in TIMEOUTS[protocol]:
        raise ValueError(f"preset {preset!r}: {protocol or 'scope'} has no timeout {name!r}")
    seconds = parse_duration(text)
    if seconds is not None and seconds <= 0:
        raise ValueError(f"preset {preset!r}: {name} must be above 0, or none")
    return seconds
