"""Writes the pages that are made from the code: ``python docs/generate.py``. A test holds that they are current."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

from probes import events, machine

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


PAGES = {"events.md": event_page, "machine.md": machine_page}


def main() -> None:
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
