"""What became of a scenario that was held against its ``[expect]``: one word, and why, in one line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from app.expect import Expectation, differences, missed
from app.scenario import Scenario
from app.scenario.releases import reached
from app.table import shown
from probes.state import RunState

OK = "ok"
DIFFERS = "differs"
MISSED = "missed"
ABORTED = "aborted"
GONE = "gone"
SKIPPED = "skipped"

GOOD = (OK, GONE, SKIPPED)
"""What is no failure: as expected, a defect that a newer release does not have any more, or what could not be tried
because something is not installed that not everybody has."""

_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Judgement:
    """``reasons``: each difference once, in how many of the ``runs`` it came; or why a run was missed or aborted."""

    scenario: str
    status: str
    runs: int
    reasons: tuple[str, ...] = ()
    note: str = ""

    @property
    def good(self) -> bool:
        return self.status in GOOD

    def line(self) -> str:
        """One line for people."""
        first, *others = (*([self.note] if self.note else []), *self.reasons, "")
        more = f" (and {len(others) - 1} more)" if len(others) > 1 and not self.note else ""
        return f"{self.status:<{_WIDTH}} {self.scenario:<28} {shown(first)}{more}".rstrip()

    def lines(self) -> list[str]:
        """The same with every reason on a line of its own."""
        head = f"{self.status:<{_WIDTH}} {self.scenario:<28} {shown(self.note)}".rstrip()
        return [head, *(f"  {shown(reason)}" for reason in self.reasons)]

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"reasons": list(self.reasons)}


def judge(
    name: str,
    scenario: Scenario,
    runs: Sequence[RunState],
    aborted: Sequence[str] = (),
    versions: Mapping[str, str] | None = None,
) -> Judgement:
    """``versions``: what is installed, by package. A run that missed its phase does not count; one is needed that does
    not."""
    if aborted:
        return Judgement(name, ABORTED, len(runs), tuple(aborted))
    counted = [run for run in runs if not missed(run)]
    reasons = _missed(runs)
    if not counted:
        return Judgement(name, MISSED, len(runs), reasons or ("no run has started",))
    found = _differences(scenario, counted)
    status, note = _word(scenario, found, versions or {})
    if not note and not found and reasons:
        note = f"{len(runs) - len(counted)} of {len(runs)} runs missed: {reasons[0]}"
    return Judgement(name, status, len(runs), found, note)


def _missed(runs: Sequence[RunState]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(why for run in runs for why in missed(run)))


def _differences(scenario: Scenario, runs: Sequence[RunState]) -> tuple[str, ...]:
    wanted = Expectation(scenario.expect, {lane.lane: lane.expect for lane in scenario.lanes})
    found: dict[tuple[str, str, str], list[str]] = {}
    for run in runs:
        for each in differences(run, wanted):
            found.setdefault((each.lane, each.what, each.wanted), []).append(str(each))
    return tuple(_counted(texts, len(runs)) for texts in found.values())


def _counted(texts: Sequence[str], runs: int) -> str:
    return texts[0] if runs == 1 else f"{texts[0]} (in {len(texts)} of {runs} runs)"


def _word(scenario: Scenario, found: Sequence[str], versions: Mapping[str, str]) -> tuple[str, str]:
    """The status, and what is to be said of a defect that the scenario is about."""
    if scenario.affects is None:
        return (DIFFERS if found else OK), ""
    fixed = reached(scenario.fixed_in, versions)
    here = _installed(scenario.affects, versions)
    if not found:
        return (DIFFERS, f"expected defect still shows: {here}, fixed in {fixed}") if fixed else (OK, "")
    if fixed:
        return GONE, f"expected defect is gone: {here}, fixed in {fixed}"
    return DIFFERS, f"expected defect is gone: {here} no longer shows it, or shows it in another way: {found[0]}"


def _installed(package: str, versions: Mapping[str, str]) -> str:
    return f"{package} {versions.get(package, '(version unknown)')}"


def total(judgements: Iterable[Judgement]) -> str:
    """``5 scenarios: 4 ok, 1 missed``."""
    words = [each.status for each in judgements]
    counts = [f"{words.count(word)} {word}" for word in (OK, GONE, SKIPPED, DIFFERS, MISSED, ABORTED) if word in words]
    return f"{len(words)} scenarios: {', '.join(counts) or 'none'}"
