"""The doctor says what is there, what is missing, and what to do about it."""

from __future__ import annotations

import json
from functools import partial

import pytest

from app import doctor
from app.doctor import Check, examine, report
from app.pump import LabProcess

from .conftest import argv


async def checks(how: str, dsn: str | None = None) -> dict[str, Check]:
    found = await examine(dsn, partial(LabProcess, argv=argv(how)))
    return {check.name: check for check in found}


async def test_a_machine_with_everything() -> None:
    found = await checks("well")
    assert all(check.ok for check in found.values() if check.needed), report(list(found.values()), "table")
    assert found["tap"].detail == "a hop costs 38 µs (p95 90 µs), kernel stamps"
    assert found["PostgreSQL"].detail.split(",")[0].split(".")[0].isdigit()
    assert {"Python", "platform", "kernel stamps", "ports", "terminal", "grpcio", "cache directory", "lab"} <= set(
        found
    )


async def test_a_lab_that_does_not_come_up_names_the_part_and_the_remedy() -> None:
    found = await checks("never-ready")
    assert not found["lab"].ok
    assert "postgresql: no PostgreSQL here: use --pg DSN" in found["lab"].detail
    assert not found["tap"].ok


async def test_a_lab_that_dies() -> None:
    found = await checks("dies-at-start")
    assert found["lab"].detail.startswith("the lab died 3 times within 10 s (exit status 3")


async def test_a_dsn_is_shown_without_its_password() -> None:
    found = await checks("well", "postgresql://me:s3cret@host/db")
    assert found["PostgreSQL"].detail == "given: postgresql://me:***@host/db"


def test_what_is_missing_comes_with_its_remedy() -> None:
    found = [
        Check("a", True, "1"),
        Check("long", False, "none", "get one"),
        Check("b", False, "-", "nice", needed=False),
    ]
    assert report(found, "table").splitlines() == [
        "a     ok       1",
        "long  missing  none: get one",
        "b     without  -: nice",
    ]
    assert json.loads(report(found, "json"))["ok"] is False
    assert json.loads(report([found[0], found[2]], "json"))["ok"] is True


def test_without_kernel_stamps_it_says_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither asked for nor reported: another program on this machine may have the kernel stamp everything.
    monkeypatch.setattr(doctor, "_RX_SOFTWARE", 0)
    monkeypatch.setattr(doctor, "_SOFTWARE", 0)
    monkeypatch.setattr(doctor, "_STAMP_TRIES", 3)
    check = doctor._kernel_stamps()
    assert not check.ok
    assert not check.needed
    assert "less exactly" in check.remedy
