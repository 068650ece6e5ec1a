import pytest

from specs.formats import Format
from specs.quantization_rules import (
    QuantizationError,
    RulesTable,
    all_in,
    is_every_module,
)
from specs.weight_formats import parse_weight_format

TABLE = RulesTable({"bits": 4, "sym": True, "part": {"size": "8"}, "none": None}, "at.")


def test_targets_of_all_linear_layers_are_recognised() -> None:
    ((names, stored),) = all_in(parse_weight_format("fp8"))
    assert is_every_module(names)
    assert not is_every_module(["re:.*mlp"])
    assert str(stored) == "fp8"


def test_keys_of_rules_are_read_by_their_kind() -> None:
    assert TABLE.number("bits") == 4
    assert TABLE.flag("sym", otherwise=False)
    assert TABLE.flag("none", otherwise=True)
    assert TABLE.names("none") == ()
    assert TABLE.element("bits", {4: Format.FP4}) is Format.FP4


def test_what_is_of_another_kind_is_refused_by_the_whole_path_of_its_key() -> None:
    part = TABLE.table("part")
    assert part is not None
    with pytest.raises(QuantizationError, match=r"^at\.part\.size = '8': must be a wh"):
        part.number("size")
    with pytest.raises(QuantizationError, match=r"^at\.part is not understood"):
        TABLE.knows("bits", "sym")
