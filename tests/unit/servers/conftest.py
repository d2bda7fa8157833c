"""One servers process for each module of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.kit.servers_kit import Servers, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[Servers]:
    async with running() as process:
        yield process
        assert process.notes() == []
        # The last test's client has only just gone.
        await process.no_handlers()
