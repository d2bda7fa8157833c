"""Where a decoder puts what it saw. Ticks of a stream are merged until that stream says something."""

from __future__ import annotations

from probes.tap.seen import Item, Lost, Seen, Tick


class Items:
    """The items of one direction between two ``drain``s; ``said`` bytes were accounted for in all."""

    __slots__ = ("_done", "_ticks", "said")

    def __init__(self) -> None:
        self.said = 0
        self._done: list[Item] = []
        self._ticks: dict[int, list[int]] = {}

    def seen(self, seen: Seen) -> None:
        self._flush(seen.stream)
        self._done.append(seen)
        self.said += seen.size

    def lost(self, lost: Lost) -> None:
        self._flush_all()
        self._done.append(lost)

    def tick(self, stream: int, size: int, body: int = 0, messages: int = 0) -> None:
        self.said += size
        tick = self._ticks.get(stream)
        if tick is None:
            self._ticks[stream] = [size, body, messages]
        else:
            tick[0] += size
            tick[1] += body
            tick[2] += messages

    def drain(self) -> list[Item]:
        self._flush_all()
        done, self._done = self._done, []
        return done

    def _flush(self, stream: int) -> None:
        tick = self._ticks.pop(stream, None)
        if tick is not None and any(tick):
            self._done.append(Tick(stream, *tick))

    def _flush_all(self) -> None:
        for stream in tuple(self._ticks):
            self._flush(stream)
