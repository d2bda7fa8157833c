"""The suite on two cores: what runs real processes stays in order on one of them, the rest goes on beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REAL = (
    "fault",
    "pilot/test_real_edges.py",
    "soak",
    "unit/app/test_cli.py",
    "unit/app/test_doctor.py",
    "unit/app/test_headless.py",
    "unit/app/test_headless_real.py",
    "unit/app/test_pump.py",
    "unit/lab",
    "unit/lanes",
    "unit/pglane",
    "unit/postgres",
    "unit/servers",
    "unit/test_benchmarks.py",
)
"""Folders and files whose tests start labs, servers, PostgreSQL or terminals. They take turns: two labs at once would
share the cached cluster and each other's core."""


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        where = item.path.relative_to(HERE).as_posix()
        if where.startswith(REAL):
            item.add_marker(pytest.mark.xdist_group("real"))
