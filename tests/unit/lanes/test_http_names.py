"""The slow DNS of the HTTP lanes: real queries, a thread that nobody can interrupt, and no name but the lab's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from probes.clock import Clock, Stamp
from probes.lanes.http.names import HOST, ZONE, NameServer, Resolver, answer, query, read_answer

NAME = f"slow{ZONE}"


class Threads:
    """What is said of the threads."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.ended = asyncio.Event()

    def lookup_began(self, host: str, at: Stamp) -> object:
        self.said.append(("began", host))
        return host

    def lookup_ended(self, what: object, host: str, at: Stamp) -> None:
        assert what == host
        self.said.append(("ended", host))
        self.ended.set()


class Zone:
    def __init__(self, delay: float | None, threads: int) -> None:
        self.asked = asyncio.Event()
        self.server = NameServer(delay, self.asked.set)
        self.threads = Threads()
        self._count = threads

    async def start(self) -> None:
        self.resolver = Resolver(await self.server.start(), Clock(), self.threads, self._count)


@contextlib.asynccontextmanager
async def zone(delay: float | None, threads: int = 2) -> AsyncIterator[Zone]:
    made = Zone(delay, threads)
    await made.start()
    yield made
    made.server.answer_all()
    async with asyncio.timeout(10):
        await made.resolver.close()
    made.server.close()


async def test_a_name_of_the_zone_has_an_address() -> None:
    async with zone(0.0) as lab:
        assert await lab.resolver.resolve(NAME) == HOST
        await lab.resolver.idle()
        assert lab.threads.said == [("began", NAME), ("ended", NAME)]


@pytest.mark.parametrize("host", ["localhost", "example.com", "cancelloscope.test", f"slow{ZONE}.com"])
async def test_every_other_name_is_refused_before_anything_is_sent(host: str) -> None:
    async with zone(0.0) as lab:
        with pytest.raises(socket.gaierror, match=r"no name of the lab's"):
            await lab.resolver.resolve(host)
        assert lab.threads.said == []
        assert not lab.asked.is_set()


async def test_a_cancel_leaves_the_thread_to_itself() -> None:
    async with zone(None) as lab:
        looking = asyncio.get_running_loop().create_task(lab.resolver.resolve(NAME))
        await lab.asked.wait()
        looking.cancel()
        await asyncio.wait([looking])
        assert looking.cancelled()
        assert lab.resolver.running == 1
        lab.server.answer_all()
        await lab.threads.ended.wait()
        assert lab.resolver.running == 0


async def test_the_next_lookup_waits_for_a_thread() -> None:
    async with zone(None, threads=1) as lab:
        first = asyncio.get_running_loop().create_task(lab.resolver.resolve(NAME))
        await lab.asked.wait()
        first.cancel()
        second = asyncio.get_running_loop().create_task(lab.resolver.resolve(f"other{ZONE}"))
        await asyncio.wait([first])
        assert lab.threads.said == [("began", NAME)]
        lab.server.answer_all()
        assert await second == HOST
        await lab.resolver.idle()
        assert [how for how, _ in lab.threads.said] == ["began", "ended"] * 2


async def test_close_waits_for_the_threads() -> None:
    async with zone(None) as lab:
        looking = asyncio.get_running_loop().create_task(lab.resolver.resolve(NAME))
        await lab.asked.wait()
        looking.cancel()
        closing = asyncio.get_running_loop().create_task(lab.resolver.close())
        await asyncio.wait([looking])
        assert not closing.done()
        lab.server.answer_all()
        await closing
        assert lab.threads.said[-1] == ("ended", NAME)


def test_question_and_answer() -> None:
    """RFC 1035, 4.1: a head of twelve bytes, labels with their length, a name that points into the question."""
    asked = query(0x1234, "a.bc")
    assert asked.hex() == "1234010000010000000000000161026263" + "00" + "00010001"
    replied = answer(asked, "127.0.0.1")
    assert (
        replied.hex() == "1234818000010001000000000161026263000001" + "0001" + "c00c0001000100000000" + "00047f000001"
    )
    assert read_answer(0x1234, replied) == "127.0.0.1"


@pytest.mark.parametrize("damage", [(0, 0x43), (3, 0x85), (7, 0)], ids=["of another query", "refused", "empty"])
def test_an_answer_that_is_none(damage: tuple[int, int]) -> None:
    data = bytearray(answer(query(1, NAME), HOST))
    data[damage[0]] = damage[1]
    with pytest.raises(socket.gaierror):
        read_answer(1, bytes(data))
