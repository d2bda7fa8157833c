"""What a cancel and a deadline become at each kind of link, over steps that wait for a named future."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from probes.middleware import Chain, LinkError

Said = list[tuple[int, str, str]]


class Work:
    """A step and a stream that wait until they are let go, and know how they ended."""

    def __init__(self) -> None:
        self.entered, self.go = asyncio.Event(), asyncio.Event()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def step(self) -> str:
        self.entered.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended.set_result("cancelled")
            raise
        self.ended.set_result("done")
        return "answer"

    async def stream(self) -> AsyncIterator[str]:
        yield "first"
        yield await self.step()


def chain(*texts: str) -> tuple[Chain, Said]:
    said: Said = []
    return Chain(texts, lambda number, name, effect, *_: said.append((number, name, effect))), said


async def collect(source: AsyncIterator[str]) -> list[str]:
    return [item async for item in source]


def by_step(links: Chain, work: Work) -> Awaitable[object]:
    return links.around(work.step, lambda: "fallback")


def by_stream(links: Chain, work: Work) -> Awaitable[object]:
    return collect(links.stream(work.stream()))


Way = Callable[[Chain, Work], Awaitable[object]]
WAYS = pytest.mark.parametrize("way", [by_step, by_stream])


async def cancelled_inside(links: Chain, work: Work, way: Way) -> asyncio.Task[object]:
    """The caller's task, cancelled while it is at the inner step's await, and over."""

    async def call() -> object:
        return await way(links, work)

    task = asyncio.get_running_loop().create_task(call())
    await work.entered.wait()
    task.cancel()
    await asyncio.wait({task})
    return task


@WAYS
async def test_pass_hands_the_cancel_on(way: Way) -> None:
    links, said = chain("pass", "pass")
    work = Work()
    task = await cancelled_inside(links, work, way)
    assert task.cancelled()
    assert await work.ended == "cancelled"
    assert said == [(2, "pass", "passed"), (1, "pass", "passed")]


@WAYS
@pytest.mark.parametrize("name", ["shield", "independent"])
async def test_a_detached_link_lets_the_work_go_on(way: Way, name: str) -> None:
    links, said = chain("pass", name, "pass")
    work = Work()
    task = await cancelled_inside(links, work, way)
    assert task.cancelled()
    assert said == [(2, name, "died"), (1, "pass", "passed")]
    assert links.detaches
    work.go.set()
    assert await work.ended == "done"
    await links.close()


@WAYS
async def test_what_a_shield_lets_run_is_ended_by_close(way: Way) -> None:
    links, _ = chain("shield")
    work = Work()
    await cancelled_inside(links, work, way)
    assert not work.ended.done()
    await links.close()
    assert await work.ended == "cancelled"


async def test_swallow_answers_instead() -> None:
    links, said = chain("pass", "swallow", "pass")
    work = Work()
    task = await cancelled_inside(links, work, by_step)
    assert task.result() == "fallback"
    assert await work.ended == "cancelled"
    assert said == [(3, "pass", "passed"), (2, "swallow", "died")]


async def test_swallow_lets_a_stream_just_end() -> None:
    links, said = chain("swallow")
    work = Work()
    task = await cancelled_inside(links, work, by_stream)
    assert task.result() == ["first"]
    assert said == [(1, "swallow", "died")]


@WAYS
async def test_a_limit_of_its_own_is_a_signal_that_grew(way: Way) -> None:
    links, said = chain("add-timeout:1ms", "pass")
    work = Work()
    with pytest.raises(TimeoutError):
        await way(links, work)
    assert await work.ended == "cancelled"
    assert said == [(2, "pass", "passed"), (1, "add-timeout:1ms", "grew")]


@WAYS
async def test_a_cancel_from_outside_passes_a_limit(way: Way) -> None:
    links, said = chain("add-timeout:60s")
    work = Work()
    task = await cancelled_inside(links, work, way)
    assert task.cancelled()
    assert said == [(1, "add-timeout:60s", "passed")]


@WAYS
@pytest.mark.parametrize(
    "texts", [(), ("pass",), ("shield",), ("swallow",), ("add-timeout:60s",), ("independent",), ("drop-deadline",)]
)
async def test_undisturbed_every_link_is_transparent(way: Way, texts: tuple[str, ...]) -> None:
    links, said = chain(*texts)
    work = Work()
    work.go.set()
    assert await way(links, work) in ("answer", ["first", "answer"])
    assert said == []
    await links.close()


@WAYS
@pytest.mark.parametrize("texts", [("pass",), ("shield",), ("swallow",), ("add-timeout:60s",)])
async def test_an_error_of_the_work_comes_through(way: Way, texts: tuple[str, ...]) -> None:
    async def fail() -> str:
        raise OSError("no")

    async def stream() -> AsyncIterator[str]:
        yield await fail()

    links, said = chain(*texts)
    with pytest.raises(OSError, match="no"):
        await (links.around(fail, str) if way is by_step else collect(links.stream(stream())))
    assert said == []


def test_a_deadline_is_handed_on_or_dropped() -> None:
    assert chain("pass", "shield")[0].budget(2.0) == 2.0
    links, said = chain("pass", "drop-deadline", "independent")
    assert links.budget(2.0) is None
    assert said == [(2, "drop-deadline", "weakened")]
    assert links.budget(None) is None
    assert len(said) == 1


def test_a_client_of_several_deadlines_keeps_or_loses_all_of_them() -> None:
    given = {"read timeout": 2.0, "connect timeout": 0.5, "pool timeout": None}
    assert chain("pass")[0].deadlines(given) == given
    evidence: list[str] = []
    links = Chain(["drop-deadline"], lambda *said: evidence.append(said[3]))
    assert links.deadlines(given) == dict.fromkeys(given)
    assert evidence == ["the read timeout of 2s and the connect timeout of 500ms are not handed on"]


@WAYS
async def test_what_a_shield_lets_run_can_be_waited_for(way: Way) -> None:
    links, _ = chain("pass", "shield")
    work = Work()
    await cancelled_inside(links, work, way)
    idle = asyncio.get_running_loop().create_task(links.idle())
    await asyncio.sleep(0)
    assert not idle.done()
    work.go.set()
    await idle
    assert work.ended.done()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sheild", "unknown link 'sheild'"),
        ("pass:1s", "pass takes no argument"),
        ("add-timeout", "takes a time"),
        ("add-timeout:250", "has no unit"),
        ("add-timeout:0s", "above 0"),
        ("add-timeout:none", "above 0"),
    ],
)
def test_what_is_no_link_is_refused(text: str, says: str) -> None:
    with pytest.raises(LinkError, match=says):
        chain(text)
