"""One lab for each module of these tests, with the real lanes, servers and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.kit.lab_kit import Lab, gaps, own_home, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    with own_home():
        async with running() as lab:
            yield lab
        assert lab.notes() == []
        assert {src: gaps(lab.events, src) for src in ("app", "lab", "servers")} == {
            "app": [],
            "lab": [],
            "servers": [],
        }
