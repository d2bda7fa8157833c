"""The schema for editors takes whatever the checker takes, and refuses what it can know to be wrong."""

from __future__ import annotations

import json
import tomllib

import pytest
from jsonschema import Draft202012Validator

from app.cli import main
from app.paths import config_dir, scenario_files
from app.scenario import SCHEMA, ScenarioError, parse
from app.scenario.fields import Strict
from app.scenario.schema import descriptions
from tests.contracts.test_docs import generate
from tests.unit.app.test_scenario_expect import GOOD
from tests.unit.app.test_scenario_lanes import FULL, HEAD

VALIDATOR = Draft202012Validator(json.loads((config_dir() / SCHEMA).read_text(encoding="utf-8")))
TEXTS = {
    "good": GOOD,
    "full": HEAD + FULL,
    "example": generate.EXAMPLE,
    **{name: path.read_text(encoding="utf-8") for name, path in scenario_files().items()},
}


def test_it_is_a_schema_and_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)
    assert main(["check", "--schema"]) == 0
    assert capsys.readouterr().out == f"{config_dir() / SCHEMA}\n"


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_right_is_taken(name: str) -> None:
    parse(TEXTS[name], name)
    assert [error.message for error in VALIDATOR.iter_errors(tomllib.loads(TEXTS[name]))] == []


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (GOOD, "title =", "tilte ="),
        (GOOD, "answer = 1", 'answer = "b"'),
        (GOOD, '"<= 50ms" }', '"50ms" }'),
        (GOOD, '"too late"', '"late"'),
        (GOOD, 'wire.interrupt = "absent"', 'wire.done = "absent"'),
        (GOOD, '"client.done < wire.interrupt"', '"client.done"'),
        (GOOD, '"accepted >= read"', '"sent >= read"'),
        (GOOD, '"response body"', '"mid-stream"'),
        (GOOD, '"httpcore 1.0.10"', '"httpcore"'),
        (HEAD + FULL, '"5ms"', "5"),
        (HEAD + FULL, '"rows streaming"', '"cursor"'),
        (HEAD + FULL, '"pass"', '"passs"'),
        (HEAD + FULL, '"add-timeout:250ms"', '"add-timeout"'),
        (HEAD + FULL, '"cooperative"', '"clever"'),
        (HEAD + FULL, "after = 3", 'shape = "bidi"'),
        (HEAD + FULL, "after = 3", "tls = true"),
        (HEAD + FULL, "after = 3", "after = 0"),
        (HEAD + FULL, "pool_size = 3", "poolsize = 3"),
        (HEAD + FULL, "pool_size = 3", "pool_size = 3.5"),
        (HEAD + FULL, "second_cancel = true", 'edge = "trio"'),
        (HEAD + FULL, '\ntimeout = "400ms"', '\nread = "400ms"'),
        (HEAD + FULL, 'kind = "lose-cancel"', 'kind = "lose"'),
    ],
)
def test_what_is_wrong_is_refused_by_both(text: str, old: str, new: str) -> None:
    assert old in text
    wrong = text.replace(old, new, 1)
    assert not VALIDATOR.is_valid(tomllib.loads(wrong))
    with pytest.raises(ScenarioError):
        parse(wrong, "x.toml")


@pytest.mark.parametrize("model", Strict.__subclasses__(), ids=lambda model: model.__name__)
def test_every_key_has_its_text(model: type[Strict]) -> None:
    assert set(descriptions(model)) == set(model.model_fields)
