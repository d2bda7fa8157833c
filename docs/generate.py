"""Writes the pages that are made from the code: ``python docs/generate.py``. A test holds that they are current."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

from app import keymap
from app.paths import scenario_files
from app.scenario import SCHEMA, Scenario, load, schema
from probes import catalogue, events, machine, pairs

HERE = Path(__file__).parent
NOTICE = "<!-- Made from the code by docs/generate.py; edit the code. -->\n\n"
_HEAD = {field.name for field in fields(events.Event)}


def event_page() -> str:
    """docs/events.md: the kinds of event and their fields."""
    lines = ["# Events\n", inspect.cleandoc(events.__doc__ or ""), "", inspect.cleandoc(events.Event.__doc__ or ""), ""]
    for cls in events.ALL_KINDS:
        text = inspect.getdoc(cls) or ""
        lines += [f"## `{events.kind_of(cls)}`\n"]
        if not text.startswith(f"{cls.__name__}("):
            lines += [text, ""]
        own = [field for field in fields(cls) if field.name not in _HEAD and field.name != "kind"]
        lines += [f"* `{field.name}`: `{field.type}`" for field in own] + [""]
    return NOTICE + "\n".join(lines).rstrip() + "\n"


def machine_page() -> str:
    """docs/machine.md: the state machine as a table and as a diagram."""
    lines = ["# The state machine of a partial response\n", inspect.cleandoc(machine.__doc__ or ""), ""]
    lines += ["| from \\ event | " + " | ".join(machine.Input) + " |", "|---" * (len(machine.Input) + 1) + "|"]
    for state in machine.State:
        row = machine.TABLE[state]
        lines.append(f"| {state} | " + " | ".join(row.get(event, "-") for event in machine.Input) + " |")
    lines += ["", "```mermaid", "stateDiagram-v2", "    [*] --> Idle"]
    for state in machine.State:
        for event, target in machine.TABLE[state].items():
            if target is not state:
                lines.append(f"    {state} --> {target}: {event}")
    return NOTICE + "\n".join([*lines, "```"]) + "\n"


EXAMPLE = """#:schema ./scenario.schema.json
title = "A slow reader and a deadline"
summary = "Two calls share a scope of 800 ms; the second one's server is told, and takes its time to tidy up."
cause = "deadline"
deadline = "800ms"

[expect]
skew = { done = "<= 500ms" }
order = "impatient.client.done < patient.server.cleanup"

[[lanes]]
name = "impatient"
protocol = "grpc"
phase = "mid-stream"
interval = "10ms"

[lanes.expect]
verdict = "clean"
client.done = ["CancelledError", "<= 500ms"]
wire.interrupt = "RST_STREAM CANCEL(8)"
residue = "none"

[[lanes]]
name = "patient"
protocol = "http/1.1"
phase = "response body"
behaviour = "slow-cleanup:0.5"
timeouts = { read = "5s" }
faults = [{ kind = "slow", rate = 65536, direction = "server>client" }]

[lanes.expect]
server.cleanup = ">= 500ms"
"""

_INTRO = """# Scenarios

A scenario is a TOML file: which calls are made, where in their life they are cancelled, by what, what disturbs them,
what must be seen then, and what a trainer asks about it. `cancelloscope scenarios` lists those that are shipped,
`cancelloscope scenarios NAME` shows one whole, and `cancelloscope scenarios --coverage` says which pairs of phase
and cause some scenario reaches, which cannot be (and why), and which are missing.

A file of your own works everywhere that a name does:

    cancelloscope check mine.toml           # line, key, and what would be right; 2 when something is wrong
    cancelloscope run ./mine.toml --runs 3
    cancelloscope run ./mine.toml --assert  # held against its [expect]; 1 on a difference
    cancelloscope ./mine.toml               # in the console

    cancelloscope run --all --assert        # all that are shipped, on one lab, a line for each
"""

_AFTER_EXAMPLE = """Times are text with their unit (`"250ms"`, `"1.5s"`, `"2min"`; ns, us, ms, s, min), at most an
hour; `"none"` is off. A lane whose cause is a timer needs that timeout, and one that is shorter than `hold` where
somebody presses a key, because the key cancels every lane that is not over.

**In an editor.** `cancelloscope check --schema` prints where the JSON Schema of the format lies. Copy it beside your
file and begin that with `#:schema ./scenario.schema.json`: editors with a TOML language server (Taplo, Even Better
TOML) then complete keys and choices. `cancelloscope check` knows more than the schema.

**What `--assert` says.** *ok*; *differs*, with lane, mark, what was wanted and what came; *missed*: the trigger came
before a call was in its phase, or it never was there, so that the run proves nothing; *aborted*; *gone*: the
scenario shows a package's defect (`affects`), it does not show any more, and a release in `fixed_in` is installed;
*skipped* (with `--all`): a client that it needs is not installed, and how to get it. A lab that hangs or dies makes
its scenario *aborted*, and the next one has a new lab. All but *ok*, *gone* and *skipped* give the status 1. Without
`[expect]` only the phase must be reached, and no machine may be in a state that its table does not know.
What is not said may be as it likes.

**What can be said of a mark**: `"present"`, `"absent"`, a bound of its time after the trigger (`"<= 50ms"`, `">=
1s"`), words that its evidence contains (`"FIN | RST"`: one of them), `"not TEXT"` for words that it does not; or a
list of several, which must all be so. In `order`, two marks that are nearer than their errors contradict nothing.
"""

_HEADS = {
    "": "## The file",
    "LaneSpec": "## `[[lanes]]`: a call",
    "FaultSpec": "## `[[lanes.faults]]`: what the tap does to its connections",
    "LaneExpect": "## `[lanes.expect]`: what a lane must show",
    "RunExpect": "## `[expect]`: what must hold between the lanes",
    "Teach": "## `[teach]`: for a class",
}


def scenario_page() -> str:
    """docs/scenarios.md: every key of a scenario file."""
    whole = schema.schema()
    tables = {"": whole, **whole["$defs"]}
    lines = [_INTRO, "```toml", EXAMPLE + "```\n", _AFTER_EXAMPLE]
    for name, head in _HEADS.items():
        lines += [head, "", *_keys(tables[name], tables), ""]
        lines += _choices() if name == "LaneSpec" else []
    return NOTICE + "\n".join(lines).rstrip() + "\n"


def _keys(table: dict[str, Any], tables: dict[str, Any]) -> list[str]:
    rows = ["| key | takes | default | what it is |", "|---|---|---|---|"]
    for name, key in _flat(table, tables):
        default = f'`"{key["default"]}"`' if isinstance(key.get("default"), str) else _toml(key.get("default"))
        if name in table.get("required", ()):
            default = "needed"
        rows.append(f"| `{name}` | {_takes(key)} | {default} | {_cell(key.get('description', ''))} |")
    return rows


def _flat(table: dict[str, Any], tables: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The keys of a table, those of small tables inside it by their dotted names."""
    found = []
    for name, key in table["properties"].items():
        inner = key.get("$ref", "").rpartition("/")[2]
        if inner and inner not in _HEADS:
            found += [(f"{name}.{each}", below) for each, below in tables[inner]["properties"].items()]
        else:
            found.append((name, key))
    return found


def _takes(key: dict[str, Any]) -> str:
    if "enum" in key:
        return _cell(", ".join(f"`{word}`" for word in key["enum"]))
    if "$ref" in key or key.get("type") == "object":
        return "table"
    if "anyOf" in key:
        return " or ".join(dict.fromkeys(_takes(each) for each in key["anyOf"]))
    if "const" in key:
        return f'`"{key["const"]}"`'
    if key.get("pattern") in (schema.TIME, schema.TIMEOUT):
        return "time"
    if key["type"] == "array":
        return f"list of {'tables' if '$ref' in key['items'] else 'these' if 'enum' in key['items'] else 'texts'}"
    names = {"string": "text", "integer": "whole number", "boolean": "true, false"}
    least, most = key.get("minimum"), key.get("maximum")
    return names[key["type"]] + (f", {least} to {most:,}" if most is not None else "")


def _toml(value: object) -> str:
    return "" if value is None else f"`{str(value).lower()}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _choices() -> list[str]:
    """The catalogue's tables."""
    lines = ["**Behaviours** of a server's handler:", ""]
    lines += [f"* `{name}`: {text}" for name, text in catalogue.BEHAVIOURS.items()]
    lines += ["", "**Middleware**:", ""]
    lines += [f"* `{name}`: {text}" for name, (_, text) in catalogue.MIDDLEWARE.items()]
    lines += ["", "**Shapes** of a gRPC call: " + ", ".join(f"`{name}`" for name in catalogue.SHAPES) + ".", ""]
    for protocol in catalogue.PROTOCOLS:
        lines += _protocol(protocol)
    return lines


def _protocol(protocol: str) -> list[str]:
    causes = catalogue.CAUSES[protocol]
    lines = [f"### {protocol}: phases and causes", "", "| phase \\ cause | " + " | ".join(causes) + " |"]
    lines.append("|---" * (len(causes) + 1) + "|")
    for phase in catalogue.PHASES[protocol]:
        cells = ["-" if catalogue.why_not(protocol, phase, cause) else "yes" for cause in causes]
        lines.append(f"| {phase} | " + " | ".join(cells) + " |")
    lines += ["", "Timeouts: " + ", ".join(f"`{name}`" for name in catalogue.TIMEOUTS[protocol]) + ". Options:", ""]
    lines += [f"* `{name}` ({_words(each)}): {each.help}" for name, each in _options(protocol)]
    lines += ["", "Refused, because it would do nothing:", ""]
    return [*lines, *(f"* `{rule.option}`: {rule.why}" for rule in pairs.RULES[protocol]), ""]


def _options(protocol: str) -> list[tuple[str, catalogue.Option]]:
    return list(catalogue.OPTIONS[protocol].items())


def _words(option: catalogue.Option) -> str:
    if isinstance(option.takes, tuple):
        return ", ".join(f"`{word}`" for word in option.takes)
    return {bool: "true, false", int: "whole number", float: "number", str: "text"}[option.takes]


_CLAIMS = """# Claims about cancellation, and what was measured

Each claim is a scenario, its verdict is about Python's libraries as they are installed, and `[expect]` holds it:
`cancelloscope run --all --search claim- --assert` says so if one does not hold any more. `cancelloscope scenarios NAME`
shows one whole.

| claim | in Python | scenario | what is measured |
|---|---|---|---|"""

_NOT_RUN = (
    (
        "A deferred cancel takes 82 ns, one that somebody waits for 15,600 ns",
        "imprecise",
        "No run shows it: the span that would tell costs more than 82 ns. Both figures are plausible, the reason is "
        "another: in the first case nobody waits, in the second an idle thread is woken.",
    ),
)
"""Claims that no run can show: claim, verdict, why."""


def claims_page() -> str:
    """docs/claims.md: what scenarios say of claims."""
    rows = []
    for name, path in scenario_files().items():
        scenario: Scenario = load(path).scenario
        teach = scenario.teach
        if teach.claim:
            rows.append((teach.claim, teach.verdict, f"`{name}`", f"{scenario.summary} {teach.explanation}"))
    rows += [(claim, verdict, "-", why) for claim, verdict, why in _NOT_RUN]
    lines = ["| " + " | ".join(_cell(" ".join(str(cell).split())) for cell in row) + " |" for row in rows]
    return NOTICE + "\n".join([_CLAIMS, *lines]) + "\n"


PAGES = {
    "claims.md": claims_page,
    "events.md": event_page,
    "machine.md": machine_page,
    "scenarios.md": scenario_page,
    f"../config/{SCHEMA}": schema.text,
    "../config/keymap.toml": keymap.default_file,
}
"""What is made, by its path from here."""


def main() -> None:
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
