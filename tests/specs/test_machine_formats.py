import pytest

from specs.errors import SpecError
from specs.formats import Format
from specs.machine import load_machine


def test_a_graph_that_is_no_model_has_no_scales() -> None:
    machine = load_machine()
    assert machine.formats.plain_weights is Format.FP8
    scaled = machine.with_settings({"formats.weights": "mxfp8"})
    with pytest.raises(SpecError, match=r"mxfp8: .* use formats\.weights=fp8"):
        _ = scaled.formats.plain_weights
