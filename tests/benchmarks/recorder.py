"""What the recorder takes: events a second to the disk, how long ``write`` holds up its caller, and the way back."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from probes.codec import encode
from probes.events import TO_CLIENT, BytesSeen, Event, RunEnded, RunStarted
from probes.record import Recorder, read
from tests.benchmarks.figures import heading, row

_EVENTS = 300_000
_RUNS = 150
_BLOCK = 400
"""Events in a block, about 64 KiB: what one read of the lab's pipe gives in full flow."""


def session(count: int = _EVENTS, runs: int = _RUNS) -> list[Event]:
    """A session of ``runs`` runs of equal length, ten thousand events a second."""
    events: list[Event] = []
    each = count // runs
    for number in range(1, runs + 1):
        head = {"err": 20_000, "src": "lab", "run": number}
        for index in range(each):
            seq = (number - 1) * each + index + 1
            at = {"t": seq * 100_000, "seq": seq, **head}
            if index == 0:
                events.append(RunStarted(scenario="s", title="t", lanes=(), **at))
            elif index == each - 1:
                events.append(RunEnded(outcome="settled", **at))
            else:
                flow = {"conn": 1, "direction": TO_CLIENT, "size": 1100, "body": 1024, "messages": 1}
                events.append(BytesSeen(lane="http/2", layer="wire", **flow, **at))
    return events


def main(brief: bool = False) -> None:
    events = session(_EVENTS // 100 if brief else _EVENTS)
    lines = [encode(event) + b"\n" for event in events]
    blocks = [b"".join(lines[start : start + _BLOCK]) for start in range(0, len(lines), _BLOCK)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.jsonl"
        held, seconds = _record(path, blocks)
        began = time.perf_counter()
        recording = read(path)
        back = list(recording.events)
        reading = time.perf_counter() - began
    print(
        heading(f"Recorder, {len(events)} events of {sum(map(len, lines)) // len(lines)} bytes in blocks of {_BLOCK}")
    )
    print(row("caller held up by write, a block", held, "µs", "a thread writes"))
    print(f"{'events a second, to the closed file':<44} {len(events) / seconds:>9.0f}   budget: >= 100000")
    print(f"{'events lost':<44} {len(events) - len(back):>9}   budget: 0; unreadable {recording.unreadable}")
    print(f"{'events a second, read back':<44} {len(events) / reading:>9.0f}")


def _record(path: Path, blocks: list[bytes]) -> tuple[list[float], float]:
    held = []
    began = time.perf_counter()
    recorder = Recorder(path, {})
    for block in blocks:
        before = time.perf_counter_ns()
        recorder.write(block)
        held.append((time.perf_counter_ns() - before) / 1e3)
    recorder.close()
    return held, time.perf_counter() - began


if __name__ == "__main__":
    main()
