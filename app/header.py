"""The first line of a recording: by whom, when, where and of what it was made."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from pydantic import BaseModel, ConfigDict, Field

from probes.record import redact

LIBRARIES = ("cancelloscope", "grpcio", "httpx", "httpcore", "h2", "asyncpg", "uvloop", "textual")


class Machine(BaseModel):
    """Where the recording was made, as far as it bears on the figures."""

    model_config = ConfigDict(frozen=True)

    system: str
    release: str
    architecture: str
    cores: int


class RecordingHeader(BaseModel):
    """``clock``: what ``t`` of the events counts in. ``postgres``: a DSN without its password, or ``embedded``."""

    model_config = ConfigDict(frozen=True)

    created: str
    versions: dict[str, str]
    machine: Machine
    python: str
    clock: str = "CLOCK_MONOTONIC, ns"
    postgres: str = "embedded"
    scenarios: dict[str, str] = Field(default_factory=dict)
    seed: int | None = None


def versions(names: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Installed versions by distribution."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def make_header(scenarios: Mapping[str, str], dsn: str | None = None, seed: int | None = None) -> dict[str, object]:
    """The header of a recording that begins now; ``scenarios``: the texts of the files, by name."""
    machine = Machine(
        system=platform.system(),
        release=platform.release(),
        architecture=platform.machine(),
        cores=os.cpu_count() or 1,
    )
    header = RecordingHeader(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        machine=machine,
        python=platform.python_version(),
        postgres=redact(dsn) if dsn else "embedded",
        scenarios=dict(scenarios),
        seed=seed,
    )
    return header.model_dump()
