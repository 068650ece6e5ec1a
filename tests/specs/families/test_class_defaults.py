import json
from pathlib import Path
from typing import Any

import pytest

from specs.families.catalogue import FAMILIES

# Made from the classes themselves by make_class_defaults.
CONTENT: dict[str, Any] = json.loads(
    Path(__file__).with_name("class_defaults.json").read_text("utf-8")
)


@pytest.mark.parametrize("name", FAMILIES)
def test_defaults_are_those_of_the_configuration_class(name: str) -> None:
    expected = dict(CONTENT["families"][name])
    made_by = CONTENT["made_by"].rsplit(".", 1)[0]
    holder = expected.pop("of", f"transformers {made_by}")
    source = f"{expected.pop('class')} of {holder}"
    assert FAMILIES[name].source == source
    assert dict(FAMILIES[name].defaults) == expected
