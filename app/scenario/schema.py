"""The JSON Schema of a scenario file, for editors: the models, and the catalogue's tables as choices.

``make docs`` writes it to ``config/scenario.schema.json``. It says less than ``cancelloscope check`` does: how keys
fit together (a delay for a phase that needs one, the order of marks) is beyond it.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from app.scenario.fields import TIME, TIMEOUT, Strict
from app.scenario.lanes import LaneSpec
from app.scenario.model import Scenario
from probes import catalogue
from probes.units import seconds_text

Schema = dict[str, Any]

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema() -> Schema:
    """The whole schema. Times are texts with their unit, as they stand in the file."""
    found = Scenario.model_json_schema()
    tables: dict[str, Schema] = found["$defs"]
    for model in Strict.__subclasses__():
        _describe(tables.get(model.__name__, found), model)
    lane = tables[LaneSpec.__name__]
    _narrow(lane["properties"])
    lane["allOf"] = [_only(protocol) for protocol in catalogue.PROTOCOLS]
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "A scenario of cancelloscope"} | found


def text() -> str:
    """The file's text."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _describe(table: Schema, model: type[BaseModel]) -> None:
    """Give each key its text, and take away what TOML has no word for."""
    table["description"] = _plain(model.__doc__ or "")
    table.pop("title", None)
    texts = descriptions(model)
    for name, key in table["properties"].items():
        key.pop("title", None)
        _without_null(key)
        _readable_default(key)
        if name in texts:
            key["description"] = _plain(texts[name])


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """The texts that stand under the fields of a model, by field. Read from the source: Python does not keep them."""
    (cls,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(cls, ast.ClassDef)
    found = {}
    for field, below in zip(cls.body, cls.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = " ".join(said.split())
    return found


def _plain(docstring: str) -> str:
    return " ".join(docstring.replace("``", "").split())


def _without_null(key: Schema) -> None:
    left = [each for each in key.get("anyOf", ()) if each != {"type": "null"}]
    if len(left) == 1:
        del key["anyOf"]
        key |= left[0] | {name: value for name, value in key.items() if name != "default"}
    elif left:
        key["anyOf"] = left


def _readable_default(key: Schema) -> None:
    default = key.get("default")
    if key.get("pattern") in (TIME, TIMEOUT) and "default" in key:
        key["default"] = seconds_text(default)
    elif default is None or isinstance(default, dict | list):
        key.pop("default", None)


def _narrow(keys: Mapping[str, Schema]) -> None:
    """What all lanes have in common: names of behaviours and of links, the second with what follows a colon."""
    keys["behaviour"]["pattern"] = f"^({_any(catalogue.BEHAVIOURS)})(:.+)?$"
    keys["shape"]["enum"] = list(catalogue.SHAPES)
    bare = [name for name, (takes, _) in catalogue.MIDDLEWARE.items() if not takes]
    timed = [name for name, (takes, _) in catalogue.MIDDLEWARE.items() if takes]
    keys["middleware"]["items"]["pattern"] = f"^(({_any(bare)})|({_any(timed)}):.+)$"


def _any(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names)


def _only(protocol: str) -> Schema:
    """What a lane of one protocol may say."""
    options = {name: _option(option) for name, option in catalogue.OPTIONS[protocol].items()}
    keys: Schema = {
        "phase": {"enum": list(catalogue.PHASES[protocol])},
        "cause": {"enum": list(catalogue.CAUSES[protocol])},
        "timeouts": {"propertyNames": {"enum": list(catalogue.TIMEOUTS[protocol])}},
        "options": {"properties": options, "additionalProperties": False},
    }
    if protocol != "grpc":
        keys["shape"] = False
    if not protocol.startswith("http/"):
        keys["tls"] = {"const": False}
    return {
        "if": {"properties": {"protocol": {"const": protocol}}, "required": ["protocol"]},
        "then": {"properties": keys, "allOf": [_at(protocol, phase) for phase in catalogue.PHASES[protocol]]},
    }


def _at(protocol: str, phase: str) -> Schema:
    causes = [cause for cause in catalogue.CAUSES[protocol] if not catalogue.why_not(protocol, phase, cause)]
    return {
        "if": {"properties": {"phase": {"const": phase}}, "required": ["phase"]},
        "then": {"properties": {"cause": {"enum": causes}}},
    }


def _option(option: catalogue.Option) -> Schema:
    if isinstance(option.takes, tuple):
        return {"enum": list(option.takes), "description": option.help}
    least = {"minimum": 0} if option.takes in (int, float) else {}
    return {"type": _TYPES[option.takes], **least, "description": option.help}
