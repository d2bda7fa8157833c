"""The import rule, checked two ways: statically by contracts, and by what a fresh interpreter really loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

ROOT_MODULES = {"app", "probes", "servers"}

PURE = (
    "probes.events",
    "probes.machine",
    "probes.state",
    "probes.fold",
    "probes.verdict",
    "probes.tried",
    "probes.part",
    "probes.forecast",
)
PAINT = "app.paint"

FORBIDDEN = [
    *((module, {"asyncio", "threading", "grpc", "httpx", "asyncpg", "textual", "rich"}) for module in PURE),
    (PAINT, {"grpc", "httpx", "asyncpg", "servers", "probes.lanes", "probes.tap"}),
    ("probes.lanes.grpc", {"app", "servers", "textual", "rich"}),
    ("probes.lanes.http", {"app", "servers", "textual"}),
    ("probes.lanes.postgres", {"app", "servers", "textual", "rich"}),
    ("probes.runner", {"app", "servers", "textual", "rich", "grpc", "httpx", "asyncpg"}),
    ("servers.__main__", {"app", "textual", "rich", "httpx", "asyncpg", "probes.lanes", "probes.tap", "probes.fold"}),
    ("app.console", {"servers", "grpc", "httpx", "asyncpg", "uvloop", "probes.lanes", "probes.tap"}),
    ("app.cli", {"servers", "textual", "grpc", "httpx", "asyncpg", "uvloop"}),
    ("app.headless", {"servers", "textual", "grpc", "httpx", "asyncpg", "uvloop"}),
]


@pytest.mark.parametrize(("module", "forbidden"), FORBIDDEN, ids=[module for module, _ in FORBIDDEN])
def test_a_fresh_interpreter_loads_nothing_forbidden(module: str, forbidden: set[str]) -> None:
    program = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not loaded & forbidden


def test_every_contract_is_kept() -> None:
    done = subprocess.run(["lint-imports"], capture_output=True, text=True, timeout=120, check=False, env=_path())
    assert done.returncode == 0, done.stdout


def _path() -> dict[str, str]:
    import os
    from pathlib import Path

    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
