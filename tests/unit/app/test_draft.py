"""Lanes changed by hand: every cell of the grid can be built, and what is built is what a file would say."""

from __future__ import annotations

import pytest

from app.draft import Table, change, get, new_name, put, table_of, with_protocol
from app.laneform import MOST_LANES, Form
from app.paths import scenario_files
from app.rows import rows
from app.scenario import LaneSpec, ScenarioError, amend, find, one_lane
from app.settings import RunSettings
from probes import catalogue
from probes.catalogue import PROTOCOLS, cells
from probes.events import LanePlan

from .test_scenario_lanes import FULL, lane

GRPC: Table = {"protocol": "grpc", "phase": "mid-stream", "cause": "task.cancel"}
HTTP: Table = {"protocol": "http/1.1", "phase": "response body", "cause": "task.cancel"}
POSTGRES: Table = {"protocol": "postgres", "phase": "statement executing", "cause": "task.cancel", "delay": "60s"}
BASE = RunSettings("base", "Base", ())
CELLS = [cell[:3] for cell in cells() if not cell[3]]


def form(*tables: Table) -> Form:
    return Form(tables, tables)


def plan(table: Table) -> LanePlan:
    return LaneSpec.model_validate(table).to_plan()


def steer(state: Form, key: str, value: str) -> Form:
    """Press keys until the row ``key`` shows ``value``: every value is met on the way round."""
    while state.index > 0:
        state = state.moved(-1)
    while state.row.path != (key,):
        state = state.moved(1)
    for _ in state.row.choices:
        if state.row.value == value:
            return state
        state = state.stepped(1)
    raise AssertionError(f"{value} is not among the choices of {key}")


@pytest.mark.parametrize("start", [GRPC, HTTP, POSTGRES], ids=lambda table: table["protocol"])
@pytest.mark.parametrize(("protocol", "phase", "cause"), CELLS)
def test_every_cell_of_the_grid_is_reached_by_keys_and_is_right(
    start: Table, protocol: str, phase: str, cause: str
) -> None:
    state = form(start)
    for key, value in (("protocol", protocol), ("phase", phase), ("cause", cause)):
        state = steer(state, key, value)
    made = plan(state.table)
    assert (made.protocol, made.phase, made.cause) == (protocol, phase, cause)
    timer = catalogue.TIMERS.get(cause)
    assert timer is None or made.timeouts[timer] == 0.4
    assert bool(made.delay) == (phase in catalogue.LASTING)
    assert [name for name in made.timeouts if name != timer] == []


@pytest.mark.parametrize(("protocol", "phase", "cause"), CELLS)
def test_every_cell_of_the_grid_is_made_as_a_run_of_one_lane(protocol: str, phase: str, cause: str) -> None:
    made = one_lane(protocol, phase, cause)
    assert [(each.protocol, each.phase, each.cause) for each in made.lanes] == [(protocol, phase, cause)]
    assert made.cause == ("timeout" if cause in catalogue.TIMERS else "key")


@pytest.mark.parametrize(("protocol", "phase", "cause", "why"), [cell for cell in cells() if cell[3]])
def test_what_cannot_be_is_grey_and_says_why(protocol: str, phase: str, cause: str, why: str) -> None:
    found = {row.path: row for row in rows({"protocol": protocol, "phase": phase, "cause": cause})}
    assert found[("phase",)].why == found[("cause",)].why == why
    with pytest.raises(ScenarioError, match="cannot come in the phase"):
        amend([{"protocol": protocol, "phase": phase, "cause": cause}], BASE)


@pytest.mark.parametrize("name", scenario_files())
def test_a_plan_becomes_the_table_that_made_it(name: str) -> None:
    settings = find(name).settings
    tables = [table_of(each) for each in settings.lanes]
    assert amend(tables, settings) == settings


def test_a_full_plan_becomes_the_table_that_made_it() -> None:
    assert plan(table_of(lane(FULL))) == lane(FULL)


def test_what_a_phase_and_a_timer_needed_goes_with_them() -> None:
    waiting = change(GRPC, ("phase",), "first response")
    assert waiting["delay"] == "30s"
    assert change(waiting, ("phase",), "mid-stream") == GRPC
    timed = change(GRPC, ("cause",), "deadline")
    assert timed["timeouts"] == {"deadline": "400ms"}
    assert change(timed, ("cause",), "task.cancel") == GRPC


def test_a_timeout_that_is_not_the_cause_stays() -> None:
    table = {**HTTP, "timeouts": {"connect": "2s"}}
    assert change(table, ("cause",), "read timeout")["timeouts"] == {"connect": "2s", "read": "400ms"}


def test_a_shape_that_cannot_be_in_a_phase_becomes_the_usual_one() -> None:
    unary = {**GRPC, "phase": "first response", "shape": "unary", "delay": "9s"}
    assert "shape" not in change(unary, ("phase",), "mid-stream")


def test_another_protocol_keeps_what_it_knows() -> None:
    table: Table = {**HTTP, "behaviour": "swallow", "tls": True, "timeouts": {"read": "1s", "asyncio.timeout": "2s"}}
    other = with_protocol({**table, "cause": "asyncio.timeout", "middleware": ["pass"]}, "postgres")
    assert other == {
        "protocol": "postgres",
        "phase": "statement executing",
        "cause": "asyncio.timeout",
        "delay": "30s",
        "middleware": ["pass"],
        "timeouts": {"asyncio.timeout": "2s"},
    }
    assert with_protocol(table, "http/2") == {**table, "protocol": "http/2"}


@pytest.mark.parametrize("kind", catalogue.FAULTS)
def test_every_fault_has_the_figures_without_which_it_cannot_be(kind: str) -> None:
    table = change(POSTGRES, ("faults", 0, "kind"), kind)
    (fault,) = plan(table).faults
    assert (fault.kind, fault.at) == (kind, "phase")
    assert change(table, ("faults", 0, "kind"), None) == POSTGRES


def test_values_are_put_and_taken_anywhere() -> None:
    table = put(put(GRPC, ("middleware", 0), "pass"), ("middleware", 1), "shield")
    assert table["middleware"] == ["pass", "shield"]
    assert put(table, ("middleware", 0), None)["middleware"] == ["shield"]
    assert put(put(GRPC, ("options", "grace"), 1.0), ("options", "grace"), None) == GRPC
    assert get(GRPC, ("faults", 0, "kind")) is None
    assert get(GRPC, ("options", "grace")) is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_row_can_be_stepped_and_typed_and_nothing_raises(protocol: str) -> None:
    faults = [{"kind": kind, "at": "phase"} for kind in catalogue.FAULTS]
    state = form({**with_protocol(GRPC, protocol), "middleware": ["pass"], "faults": faults})
    for row in state.rows:
        here = at(state, *row.path)
        for each in (here.stepped(1), here.stepped(-1), here.begun().rubbed().wrote("x"), here.begun()):
            assert each.taken().rows
            assert row.kind == "text" or here.stepped(1).tables != here.tables


def test_every_option_of_the_catalogue_has_a_row_with_its_help() -> None:
    for protocol in PROTOCOLS:
        found = {row.label: row.help for row in rows(with_protocol(GRPC, protocol)) if row.section == "options"}
        assert found == {name: option.help for name, option in catalogue.OPTIONS[protocol].items()}


# --- typing and stepping ------------------------------------------------------------------------------


def at(state: Form, *path: str | int) -> Form:
    while state.index > 0:
        state = state.moved(-1)
    while state.row.path != path:
        state = state.moved(1)
    return state


def test_what_is_typed_is_the_value_and_nothing_takes_it_away() -> None:
    state = at(form(GRPC), "delay").begun("1").wrote(".5s").taken()
    assert (state.typed, plan(state.table).delay) == (None, 1.5)
    assert "delay" not in at(state, "delay").begun("").taken().table
    assert at(form(GRPC), "name").begun().wrote("a b").taken().names == ["a b"]


def test_what_is_typed_wrong_is_said_by_the_check() -> None:
    for path, text, says in (
        ("delay", "5", "grpc: delay: '5' has no unit"),
        ("chunks", "many", "grpc: chunks: input should be a valid integer, not 'many'"),
        ("name", "!", "!: name: a lane's name is up to 40 letters"),
        ("behaviour", "lazy", "grpc: behaviour: unknown behaviour"),
    ):
        with pytest.raises(ScenarioError) as caught:
            amend(at(form(GRPC), path).begun(text).taken().tables, BASE)
        assert str(caught.value).startswith(says)


def test_what_is_typed_and_dropped_changes_nothing() -> None:
    assert at(form(GRPC), "delay").begun("1").dropped().tables == (GRPC,)


def test_times_and_counts_go_in_steps() -> None:
    state = at(form(GRPC), "delay").stepped(1)
    assert state.table["delay"] == "1ms"
    assert state.stepped(1).table["delay"] == "2ms"
    assert state.stepped(-1).table["delay"] == "0s"
    assert at(form(GRPC), "size").stepped(1).table["size"] == 2000
    assert at(form(GRPC), "after").stepped(-1).table["after"] == 1
    timed = at(form(change(GRPC, ("cause",), "deadline")), "timeouts", "deadline")
    assert timed.stepped(1).table["timeouts"]["deadline"] == "500ms"


def test_an_option_that_is_a_figure_is_set_and_unset_by_steps() -> None:
    state = at(form(HTTP), "options", "pool_size").stepped(1)
    assert state.table["options"] == {"pool_size": 1}
    assert "options" not in state.stepped(-1).table
    state = at(form(GRPC), "options", "grace").stepped(1)
    assert state.table["options"] == {"grace": 0.001}
    assert "options" not in state.stepped(-1).table


def test_a_choice_with_an_argument_is_both_chosen_and_typed() -> None:
    state = at(form(GRPC), "behaviour").begun()
    assert state.typed == "cooperative"
    state = state.begun("slow-cleanup:0.5").taken()
    assert plan(state.table).behaviour == "slow-cleanup:0.5"
    assert state.row.choices[state.row.chosen].value == "slow-cleanup"
    assert at(form(GRPC), "phase").begun().table["phase"] == "after the last chunk", "what is not typed steps"


# --- lanes --------------------------------------------------------------------------------------------


def test_contestants_get_names_of_their_own_up_to_nine() -> None:
    state = form(GRPC, HTTP)
    for _ in range(12):
        state = state.added()
    assert len(state.tables) == MOST_LANES == 9
    assert state.names == ["grpc", "http/1.1", *(f"grpc {number}" for number in range(2, 9))]
    assert [each.lane for each in amend(state.tables, BASE).lanes] == state.names


def test_a_lane_is_taken_away_but_not_the_last() -> None:
    state = form(GRPC, HTTP).other_lane(-1).removed()
    assert (state.names, state.lane) == (["grpc"], 0)
    assert state.removed() == state


def test_a_name_that_only_tells_the_protocol_follows_it() -> None:
    state = steer(form(GRPC, HTTP).added(), "protocol", "http/1.1")
    assert state.names == ["grpc", "http/1.1", "http/1.1 2"] or state.names[0] == "http/1.1 2"
    named = steer(form({**GRPC, "name": "mine"}), "protocol", "postgres")
    assert named.names == ["mine"]
    assert new_name("grpc", ["grpc", "grpc 2"]) == "grpc 3"


def test_reset_is_as_in_the_beginning() -> None:
    state = form(GRPC, HTTP)
    assert state.added().stepped(1).reset().tables == state.tables


def test_two_lanes_of_one_name_are_refused_as_in_a_file() -> None:
    with pytest.raises(ScenarioError, match="grpc: name: two lanes are called grpc"):
        amend([GRPC, GRPC], BASE)


def test_nobody_cancels_only_while_all_lanes_have_timers() -> None:
    base = RunSettings("base", "Base", (), cause="timeout")
    timed = change(GRPC, ("cause",), "deadline")
    assert amend([timed], base).cause == "timeout"
    assert amend([timed, HTTP], base).cause == "key"
    assert amend([GRPC], RunSettings("base", "Base", (), cause="deadline", deadline=None)).cause == "key"
    assert amend([GRPC], RunSettings("base", "Base", (), cause="deadline", deadline=1.0)).deadline == 1.0
