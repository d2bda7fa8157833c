"""The command line. Every error is one line on stderr; what is heavy is imported by the command that needs it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Coroutine, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from app.headless import Ran
    from app.scenario import Loaded

T = TypeVar("T")

NAME = "cancelloscope"
DEFAULT_SCENARIO = "one-scope"
SMALLEST = (80, 24)
"""Columns and rows that the console needs."""

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130


class Failure(click.ClickException):
    """One line, and the exit status."""

    def __init__(self, text: str, status: int = BAD_INPUT) -> None:
        super().__init__(text)
        self.status = status


class _Commands(click.Group):
    """``console`` is what happens when the first word is no command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h", "--version")):
            args = ["console", *args]
        return super().parse_args(ctx, args)


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"{NAME} {version(NAME)}")
        ctx.exit()


_pg = click.option(
    "--pg",
    metavar="DSN",
    envvar="CANCELLOSCOPE_PG",
    help="Use this PostgreSQL, not the embedded one. In the variable CANCELLOSCOPE_PG it does not show in ps.",
)
_record = click.option("--record", metavar="FILE", type=click.Path(path_type=Path), help="Write every event to FILE.")
_overwrite = click.option("--overwrite", is_flag=True, help="Let --record replace a file that is there.")
_keymap = click.option(
    "--keymap", metavar="FILE", type=click.Path(path_type=Path), help="Keys of your own; config/keymap.toml has all."
)
_theme = click.option(
    "--theme",
    type=click.Choice(("dark", "light", "high-contrast", "colour-blind")),
    help="How the console looks; else as it looked last. ctrl+t changes it.",
)
_format = click.option("--format", "form", type=click.Choice(("json", "table")), default="table", show_default=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Say which.")
def cli() -> None:
    """An oscilloscope for cancellation: gRPC, HTTP and PostgreSQL, layer by layer, with proof from the wire.

    Without a command it opens the console: cancelloscope [--pg DSN] [--record FILE] [SCENARIO]
    """


@cli.command()
@_pg
@_record
@_overwrite
@_theme
@_keymap
@click.argument("scenario", default=DEFAULT_SCENARIO)
def console(
    scenario: str, pg: str | None, record: Path | None, overwrite: bool, theme: str | None, keymap: Path | None
) -> None:
    """Open the console with SCENARIO (a name or a .toml file)."""
    loaded = _find(scenario)
    _need_terminal()
    from app.console import run_console

    lab, look = _factory([loaded], pg), _look(theme, keymap)
    _say_recorded(run_console(lab, loaded.settings, record=record, overwrite=overwrite, look=look))


@cli.command()
@click.argument("scenario", required=False)
@click.option("--all", "everything", is_flag=True, help="Run every scenario that is shipped, on one lab.")
@click.option("--search", metavar="TEXT", help="With --all: only those in which all these words occur.")
@click.option("--runs", type=click.IntRange(1, 1_000_000), default=1, show_default=True, help="How often.")
@click.option("--assert", "asserted", is_flag=True, help="Compare with what the scenario expects; 1 on a difference.")
@_format
@_record
@_overwrite
@_pg
def run(
    scenario: str | None,
    everything: bool,
    search: str | None,
    runs: int,
    asserted: bool,
    form: str,
    record: Path | None,
    overwrite: bool,
    pg: str | None,
) -> int:
    """Run SCENARIO (a name or a .toml file) without a screen; print one result a run."""
    chosen = _chosen(scenario, everything, search)
    from app.extras import lacking
    from app.headless import NotReady, printer, run_headless
    from app.referee import Referee

    plans = [loaded.settings for loaded in chosen]
    referee = Referee(chosen, form, one=not everything, say=click.echo)
    work = run_headless(
        _factory(chosen, pg),
        plans,
        runs=runs,
        show=(lambda _result: None) if asserted and everything else printer(form),
        ran=referee.take if asserted else partial(_say_skipped, chosen),
        lacks=lacking if everything else lambda _settings: "",
        record=record,
        overwrite=overwrite,
    )
    try:
        problems = _in_loop(work)
    except NotReady as error:
        raise Failure(str(error), error.status) from None
    if asserted:
        problems = [text for text in problems if text not in referee.aborted]
        referee.end()
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Failure(f"{problems[0]}{more}", FAILED)
    return int(asserted and not referee.content)


def _say_skipped(chosen: list[Loaded], number: int, ran: Ran) -> None:
    if ran.skipped:
        _say(f"{chosen[number].name} is skipped: {ran.skipped}")


def _chosen(name: str | None, everything: bool, search: str | None) -> list[Loaded]:
    """What is to be run: one scenario, or all in which ``search`` is found."""
    if name is not None and everything:
        raise Failure("name one scenario, or write --all, not both")
    if search is not None and not everything:
        raise Failure("--search chooses from --all: write both")
    if name is not None:
        return [_find(name)]
    if not everything:
        raise Failure("Missing argument 'SCENARIO'.")
    return _shipped(search)


def _shipped(search: str | None) -> list[Loaded]:
    from app.listing import search as searched
    from app.paths import scenario_files

    found = searched((_find(name) for name in scenario_files()), search or "")
    if not found:
        raise Failure(f"no scenario has {search!r} in its name, its text or its lanes")
    return found


@cli.command()
@click.option("--bind", "host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--i-know-this-opens-a-port", "known", is_flag=True, help="Let --bind name an address others can reach.")
@click.option("--format", "form", type=click.Choice(("json", "table")), help="Print results, open no screen.")
@_record
@_overwrite
@_theme
@_keymap
@_pg
def listen(
    host: str,
    known: bool,
    form: str | None,
    record: Path | None,
    overwrite: bool,
    theme: str | None,
    keymap: Path | None,
    pg: str | None,
) -> int:
    """Take outside clients: curl, psql, any gRPC client. Whoever connects gets a lane."""
    from app.listen import SETTINGS, check_address

    try:
        check_address(host, known=known)
    except ValueError as error:
        raise Failure(str(error)) from None
    if form is None:
        _need_terminal()
        from app.console import run_console

        lab, look = _make_lab(pg), _look(theme, keymap)
        _say_recorded(run_console(lab, SETTINGS, record=record, overwrite=overwrite, listen=host, look=look))
        return 0
    from app.headless import NotReady
    from app.listen import run_listen

    try:
        _in_loop(run_listen(_make_lab(pg), host, form=form, record=record, overwrite=overwrite, say=_say))
    except NotReady as error:
        raise Failure(str(error), error.status) from None
    return 0


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(("json", "table")), help="Print the results, open no screen.")
@_theme
@_keymap
def replay(file: Path, form: str | None, theme: str | None, keymap: Path | None) -> None:
    """Show a recording again, or print its results."""
    from probes.record import read

    if form is not None:
        from app.headless import printer
        from app.results import results

        show = printer(form)
        recording = read(file)
        for result in results(recording.events):
            show(result)
        for note in recording.notes():
            _say(f"{file}: {note}")
        return
    _need_terminal()
    from app.console import run_replay
    from probes.index import Index
    from probes.replay import Player

    with Index(file) as index:
        run_replay(Player(index, header=index.header, notes=index.notes), file, look=_look(theme, keymap))


@cli.command()
@click.option("--format", "form", type=click.Choice(("json", "table")), default="table", show_default=True)
@_pg
def doctor(form: str, pg: str | None) -> int:
    """Say what is found and what is missing."""
    from app.doctor import examine, report

    checks = _in_loop(examine(pg))
    click.echo(report(checks, form))
    return 0 if all(check.ok or not check.needed for check in checks) else FAILED


@cli.command()
@click.argument("files", metavar="FILE...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--schema", is_flag=True, help="Say where the JSON Schema of the format lies, for editors.")
def check(files: tuple[Path, ...], schema: bool) -> int:
    """Check scenario files of your own; say in one line for each what is wrong, where, and what would be right."""
    from app.paths import config_dir
    from app.scenario import SCHEMA, ScenarioError, load

    if schema:
        click.echo(config_dir() / SCHEMA)
    elif not files:
        raise Failure("Missing argument 'FILE...'.")
    status = 0
    for file in files:
        try:
            load(file)
        except ScenarioError as error:
            _say(str(error))
            status = BAD_INPUT
        else:
            click.echo(f"{file}: ok")
    return status


@cli.command()
@click.argument("name", required=False)
@click.option("--search", metavar="TEXT", help="Only those in which all these words occur.")
@click.option(
    "--coverage", is_flag=True, help="Which lane, phase and cause some scenario reaches; 1 when one is missing."
)
@_format
def scenarios(name: str | None, search: str | None, coverage: bool, form: str) -> int:
    """List the scenarios that are shipped, or show one of them whole."""
    import json

    from app import listing

    if name is not None and (search is not None or coverage):
        raise Failure("one scenario is shown whole: --search and --coverage are for the list")
    if name is not None:
        loaded = _find(name)
        click.echo(json.dumps(listing.whole_as_json(loaded)) if form == "json" else listing.whole(loaded))
        return 0
    found = _shipped(search)
    if coverage:
        return _print_coverage(found, form)
    click.echo(json.dumps([listing.as_json(each) for each in found]) if form == "json" else listing.table(found))
    return 0


def _print_coverage(found: list[Loaded], form: str) -> int:
    import json

    from app import coverage

    cells = coverage.cover(found)
    click.echo(json.dumps(coverage.as_json(cells)) if form == "json" else coverage.table(cells))
    return FAILED if any(cell.state == coverage.MISSING for cell in cells) else 0


def _in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end. Ctrl-C cancels it, so that it can stop its lab."""
    import asyncio

    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise Failure("interrupted", INTERRUPTED) from None


def _find(name: str) -> Loaded:
    from app.scenario import find

    return find(name)


def _factory(chosen: list[Loaded], dsn: str | None) -> Any:
    """Makes the process of the lab that runs scenarios: ``make(on_events)``."""
    return _make_lab(dsn, {loaded.name: loaded.text for loaded in chosen})


def _make_lab(dsn: str | None, scenarios: Mapping[str, str] | None = None) -> Any:
    """Makes a lab's process: ``make(on_events)``. ``scenarios``: the texts that go into a recording's header."""
    from app.header import make_header
    from app.pump import LabProcess

    def make(on_events: Any) -> LabProcess:
        return LabProcess(on_events, dsn=dsn, header=lambda: make_header(scenarios or {}, dsn))

    return make


def _look(theme: str | None, keymap: Path | None) -> Any:
    """How the console looks: as asked for, or as it looked last; and its keys."""
    from app.console import Look
    from app.keymap import load
    from app.preferences import remember_theme, remembered_theme

    return Look(theme or remembered_theme(), load(keymap), remember_theme)


def _need_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure("the console needs a terminal: `cancelloscope run SCENARIO` works without one")
    size = os.get_terminal_size()
    if size.columns < SMALLEST[0] or size.lines < SMALLEST[1]:
        columns, rows = SMALLEST
        raise Failure(
            f"the terminal is {size.columns}x{size.lines}: the console needs {columns}x{rows}, make it larger"
        )


def _say(text: str) -> None:
    click.echo(f"{NAME}: {' '.join(text.split())}", err=True)


def _say_recorded(paths: Iterable[str]) -> None:
    for path in paths:
        _say(f"recorded; `{NAME} replay {shlex.quote(path)}` shows it again")


def main(args: list[str] | None = None) -> int:
    """The whole program; its exit status."""
    try:
        return int(cli.main(args, prog_name=NAME, standalone_mode=False) or 0)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        _say(error.format_message())
        return error.status if isinstance(error, Failure) else BAD_INPUT
    except BrokenPipeError:
        # Whoever read our output has had enough. What Python would flush at its end has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if not _expected(error):
            raise
        _say(str(error))
        return BAD_INPUT


def _expected(error: Exception) -> bool:
    """Bad input of the kinds that say what to do; anything else is a defect and shows where it happened."""
    from app.keymap import KeymapError
    from app.scenario import ScenarioError
    from probes.record import RecordingError

    return isinstance(error, ScenarioError | RecordingError | KeymapError | OSError)
