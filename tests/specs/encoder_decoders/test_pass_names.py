import pytest

from specs.encoder_decoders.pass_names import PassName, pass_name
from specs.errors import SpecError


def test_a_name_says_a_pass_and_its_sizes() -> None:
    found = pass_name("C:/models/config.json:decoder,positions=9,context=4")
    assert found == PassName("C:/models/config.json", "decoder", 4, 9)
    assert pass_name("t5:encoder") == PassName("t5", "encoder", None, None)


def test_other_names_say_none() -> None:
    assert pass_name("gemm:2x3x4") is None
    assert pass_name("model.onnx:batch=1") is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("t5:encoder,context=3", "'context' is no size of the encoder's pass"),
        ("t5:decoder,positons=3", "positions"),
        ("t5:decoder,context=0", "context must be a whole number from 1 to 16,384"),
        ("t5:decoder,context=16385", "from 1 to 16,384"),
        ("t5:encoder,positions=", "positions must be a whole number"),
        ("t5:encoder,positions=" + "9" * 5000, "positions must be a whole number"),
    ],
)
def test_a_size_that_is_wrong_is_refused(name: str, fault: str) -> None:
    with pytest.raises(SpecError, match=fault):
        pass_name(name)
