"""The scenarios that can be chosen in the console: the shipped ones, and files of one's own by their path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from app.chooser import Item
from app.paths import scenario_files
from probes.events import CALLED_BY, LanePlan

if TYPE_CHECKING:
    from app.scenario import Loaded

GROUPS = {"": "several protocols", "grpc": "gRPC", "http": "HTTP", "postgres": "PostgreSQL"}
"""Headings, by what all lanes of a scenario speak."""
HOPS, OWN, BROKEN = "hops", "a file of your own", "cannot be loaded"
_ORDER = (*GROUPS.values(), HOPS, BROKEN)


class Library:
    """Reads the files when they are first asked for: a console that chooses nothing reads none.

    ``files``: the shipped scenarios, by name.
    """

    def __init__(self, files: Callable[[], dict[str, Path]] = scenario_files) -> None:
        self._files = files
        self._read: dict[str, Loaded] = {}
        self._items: dict[str, Item] | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """All shipped scenarios, group by group. One that cannot be loaded says why."""
        if self._items is None:
            items = [self._item(path) for path in self._files().values()]
            items.sort(key=lambda item: (_ORDER.index(item.group), item.name))
            self._items = {item.key: item for item in items}
        return tuple(self._items.values())

    @property
    def loaded(self) -> tuple[Loaded, ...]:
        """The shipped scenarios that could be loaded."""
        return tuple(self._read[item.key] for item in self.items if not item.problem)

    def search(self, text: str) -> tuple[Item, ...]:
        """The scenarios in which every word of ``text`` is found; if it is a path, the file that lies there."""
        if is_path(text):
            return (self._item(Path(text.strip()).expanduser(), OWN),)
        from app.listing import search

        found = {loaded.name for loaded in search(self.loaded, text)}
        words = text.casefold().split()
        broken = {item.name for item in self.items if item.problem and all(word in item.name for word in words)}
        return tuple(item for item in self.items if item.name in found | broken)

    def named(self, names: Iterable[str]) -> tuple[Item, ...]:
        """The shipped scenarios of these names."""
        wanted = set(names)
        return tuple(item for item in self.items if item.name in wanted)

    def get(self, key: str) -> Loaded:
        """What the item with this key stands for, which has no problem."""
        return self._read[key]

    def _item(self, path: Path, group: str = "") -> Item:
        from app.scenario import ScenarioError, load

        key = str(path)
        try:
            loaded = self._read[key] = load(path)
        except ScenarioError as error:
            return Item(key, path.stem, group or BROKEN, path.stem, problem=str(error))
        return _described(key, loaded, group or group_of(loaded.settings.lanes))


def is_path(text: str) -> bool:
    """Whether somebody types a path, and no words (``http/2`` is one)."""
    return text.startswith(("/", "./", "../", "~")) or text.rstrip().endswith(".toml")


def group_of(lanes: Iterable[LanePlan]) -> str:
    """Under which heading a scenario with these lanes stands."""
    plans = list(lanes)
    if any(CALLED_BY in plan.options for plan in plans):
        return HOPS
    spoken = {plan.protocol.partition("/")[0] for plan in plans}
    return GROUPS[spoken.pop() if len(spoken) == 1 else ""]


def _described(key: str, loaded: Loaded, group: str) -> Item:
    from app.listing import facts

    scenario = loaded.scenario
    return Item(
        key=key,
        name=loaded.name,
        group=group,
        title=scenario.title,
        summary=" ".join(scenario.summary.split()),
        facts=tuple(facts(scenario)),
        lanes=loaded.settings.lanes,
    )
