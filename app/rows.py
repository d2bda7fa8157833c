"""The rows of the lane panel: for every value of a lane what it is, what else it can be, and why it cannot. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from app.draft import Path, Table, get
from probes import catalogue

Kind = Literal["choice", "time", "count", "number", "text"]
UNSET = "-"

DIRECTIONS = ("client>server", "server>client")
BEGINNINGS = {"start": "the lane's start", "phase": "when its call is in its phase", "trigger": "the trigger"}
HANGUPS = ("FIN", "RST")


@dataclass(frozen=True, slots=True)
class Choice:
    """One value: None is none at all. ``help``: what it is; ``why``: why it cannot be here, empty where it can."""

    value: Any
    text: str
    help: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One value of a lane. ``usual``: what holds where the table says nothing; ``free``: whether it is typed as well
    as chosen; ``inner``: whether it belongs to the row above."""

    section: str
    path: Path
    label: str
    kind: Kind
    value: Any
    usual: str = UNSET
    help: str = ""
    choices: tuple[Choice, ...] = ()
    free: bool = False
    inner: bool = False

    @property
    def text(self) -> str:
        """The value as it is shown."""
        if self.value is None:
            return self.usual
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    @property
    def chosen(self) -> int:
        """Which choice it is; -1 for none of them."""
        names = [choice.value for choice in self.choices]
        if self.value in names:
            return names.index(self.value)
        # ``slow-cleanup:0.5`` is the choice slow-cleanup with an argument.
        head = self.value.partition(":")[0] if isinstance(self.value, str) and self.free else None
        return next((index for index, name in enumerate(names) if name and name.partition(":")[0] == head), -1)

    @property
    def why(self) -> str:
        """Why its value cannot be."""
        return self.choices[self.chosen].why if self.chosen >= 0 else ""


def rows(table: Table) -> list[Row]:
    """All that can be said of a lane, in the order in which one says it."""
    return [*_call(table), *_server(table), *_middleware(table), *_faults(table), *_options(table)]


def _call(table: Table) -> Iterator[Row]:
    protocol, phase, cause = (str(table[key]) for key in ("protocol", "phase", "cause"))
    yield Row("call", ("name",), "lane", "text", table.get("name"), protocol, "what the lane is called")
    yield _choice(table, "call", ("protocol",), [Choice(name, name) for name in catalogue.PROTOCOLS])
    yield _choice(table, "call", ("phase",), _phases(protocol, cause), "where in its life the call is when it ends")
    yield _choice(table, "call", ("cause",), _causes(protocol, phase), "what ends it there")
    if timer := catalogue.TIMERS.get(cause):
        path = ("timeouts", timer)
        yield Row(
            "call", path, timer, "time", get(table, path), help=f"the timer that is the cause: {timer}", inner=True
        )
    if protocol == "grpc":
        yield _choice(table, "call", ("shape",), _shapes(phase, cause), "which kind of call", "server stream")
    if protocol.startswith("http/"):
        choices = [Choice(None, "false"), Choice(True, "true")]
        yield _choice(table, "call", ("tls",), choices, "the tap sees records only", "false")


def _phases(protocol: str, cause: str) -> list[Choice]:
    return [Choice(name, name, why=catalogue.why_not(protocol, name, cause)) for name in catalogue.PHASES[protocol]]


def _causes(protocol: str, phase: str) -> list[Choice]:
    return [Choice(name, name, why=catalogue.why_not(protocol, phase, name)) for name in catalogue.CAUSES[protocol]]


def _shapes(phase: str, cause: str) -> list[Choice]:
    return [Choice(name, name, why=catalogue.why_no_shape(name, phase, cause)) for name in catalogue.SHAPES]


def _server(table: Table) -> Iterator[Row]:
    if table["protocol"] != "postgres":
        choices = [Choice(name, name, text) for name, text in catalogue.BEHAVIOURS.items()]
        text = "how the handler lives with a cancel; an argument follows a colon: slow-cleanup:0.5"
        yield _choice(table, "server", ("behaviour",), choices, text, "cooperative", free=True)
    for key, kind, usual, text in _FIGURES:
        yield Row("server", (key,), key, kind, table.get(key), usual, text)


_FIGURES: tuple[tuple[str, Kind, str, str], ...] = (
    ("delay", "time", "0s", "what the server waits before its first byte; how long a statement executes"),
    ("chunks", "count", "1000", "chunks, messages or rows of the whole answer"),
    ("size", "count", "1024", "bytes of each of them"),
    ("interval", "time", "20ms", "what the server waits after each of them"),
    ("after", "count", "1", "chunks after which the call counts as in its phase"),
)


def _middleware(table: Table) -> Iterator[Row]:
    choices = [Choice(None, UNSET, "no link here")]
    for name, (takes, text) in catalogue.MIDDLEWARE.items():
        choices.append(Choice(f"{name}:250ms" if takes else name, name, text))
    links = len(table.get("middleware", ()))
    for number in range(links + 1):
        path = ("middleware", number)
        label = f"link {number + 1}" if number < links else "add a link"
        text = "between caller and client, the outermost first"
        yield _choice(table, "middleware", path, choices, text, label=label, free=True)


def _faults(table: Table) -> Iterator[Row]:
    faults = table.get("faults", ())
    kinds = [
        Choice(None, UNSET, "no fault here"),
        *(Choice(name, name, text) for name, text in catalogue.FAULTS.items()),
    ]
    for number in range(len(faults) + 1):
        path = ("faults", number, "kind")
        label = f"fault {number + 1}" if number < len(faults) else "add a fault"
        yield _choice(table, "faults", path, kinds, "what the tap does to the connections", label=label)
        if number < len(faults):
            yield from _fault(table, number, str(faults[number]["kind"]))


def _fault(table: Table, number: int, kind: str) -> Iterator[Row]:
    base: Path = ("faults", number)
    beginnings = [Choice(name, name, text) for name, text in BEGINNINGS.items()]
    yield _choice(table, "faults", (*base, "at"), beginnings, "from when on", "start", inner=True)
    if not kind.endswith("-cancel") and kind != "cut":
        both = [Choice(None, "both"), *(Choice(name, name) for name in DIRECTIONS)]
        yield _choice(table, "faults", (*base, "direction"), both, "which way", "both", inner=True)
    if kind == "slow":
        value = get(table, (*base, "rate"))
        yield Row("faults", (*base, "rate"), "rate", "count", value, help="bytes a second", inner=True)
    if kind == "cut":
        ways = [Choice(name, name) for name in HANGUPS]
        yield _choice(table, "faults", (*base, "how"), ways, "how the connection is ended", inner=True)
    else:
        text = (
            "how long each CancelRequest is held" if kind == "delay-cancel" else "how long it stands; none: to the end"
        )
        value = get(table, (*base, "seconds"))
        yield Row("faults", (*base, "seconds"), "seconds", "time", value, "none", text, inner=True)


def _options(table: Table) -> Iterator[Row]:
    for name, option in catalogue.OPTIONS[str(table["protocol"])].items():
        path = ("options", name)
        if isinstance(option.takes, tuple):
            choices = [Choice(None, UNSET), *(Choice(word, word) for word in option.takes)]
        elif option.takes is bool:
            choices = [Choice(None, UNSET), Choice(True, "true"), Choice(False, "false")]
        else:
            kind: Kind = "count" if option.takes is int else "number" if option.takes is float else "text"
            yield Row("options", path, name, kind, get(table, path), help=option.help)
            continue
        yield _choice(table, "options", path, choices, option.help, label=name)


def _choice(
    table: Table,
    section: str,
    path: Path,
    choices: list[Choice],
    help: str = "",
    usual: str = UNSET,
    *,
    label: str = "",
    free: bool = False,
    inner: bool = False,
) -> Row:
    """A row that is chosen. A value that is as usual may be missing in the table."""
    value = get(table, path)
    if value is None and usual != UNSET and usual in [choice.value for choice in choices]:
        value = usual
    label = label or str(path[-1])
    return Row(section, path, label, "choice", value, usual, help, tuple(choices), free, inner)
