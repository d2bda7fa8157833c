"""What a process holds is counted for real: a socket, a file, a task, a thread more is one more."""

from __future__ import annotations

import asyncio
import os
import socket
import threading

from probes import events as ev
from probes.fold import fold
from probes.residue import held_here
from probes.state import RunState
from probes.verdict import leaked


async def test_each_kind_of_thing_is_counted_once() -> None:
    before = held_here()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    pair = socket.socketpair()
    fd = os.open(os.devnull, os.O_RDONLY)
    task = asyncio.get_running_loop().create_task(asyncio.Event().wait())
    try:
        after = held_here()
    finally:
        stop.set()
        thread.join()
        for sock in pair:
            sock.close()
        os.close(fd)
        task.cancel()
        await asyncio.wait({task})
    assert {name: after[name] - before[name] for name in after} == {
        "tasks": 1,
        "threads": 1,
        "sockets": 2,
        "other fds": 1,
    }
    assert held_here() == before


def test_the_leak_is_named_by_the_difference() -> None:
    head = {"err": 0, "src": "lab", "run": 1}
    run = fold(
        [
            ev.Census(t=1, seq=1, when="before", held={"tasks": 4, "sockets": 20}, **head),
            ev.Census(t=9, seq=2, when="after", held={"tasks": 4, "sockets": 19, "threads": 1}, **head),
        ]
    )
    assert leaked(run) == {"threads": 1}
    assert leaked(RunState()) == {}
