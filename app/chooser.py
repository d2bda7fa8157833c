"""Which scenario is looked at while one is chosen: a frozen state, and what keys make of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from probes.events import LanePlan


@dataclass(frozen=True, slots=True)
class Item:
    """A scenario as one chooses by it. ``key`` tells it from all others; ``facts``: (word, value) of the whole run;
    ``problem``: why it cannot be loaded, in one line."""

    key: str
    name: str
    group: str
    title: str
    summary: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    lanes: tuple[LanePlan, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Choosing:
    """``items``: those in which ``text`` was found, by group; ``known``: how many there are in all."""

    items: tuple[Item, ...]
    known: int
    text: str = ""
    index: int = 0

    @property
    def item(self) -> Item | None:
        return self.items[self.index] if self.items else None

    def at(self, name: str) -> Choosing:
        """At the scenario of this name, if it is there."""
        names = [item.name for item in self.items]
        return replace(self, index=names.index(name)) if name in names else self

    def moved(self, by: int) -> Choosing:
        """``by`` items further; the first and the last are the ends."""
        return replace(self, index=max(0, min(self.index + by, len(self.items) - 1)))

    def found(self, text: str, items: tuple[Item, ...]) -> Choosing:
        """Another text found other items; the one that was looked at stays, if it is among them."""
        keys = [item.key for item in items]
        index = keys.index(self.item.key) if self.item is not None and self.item.key in keys else 0
        return replace(self, text=text, items=items, index=index)
