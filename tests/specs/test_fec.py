import pytest
from pydantic import ValidationError

from specs.fec import FecCode, FecSpec, fec_codes
from specs.machine import MachineSpec, load_machine


@pytest.fixture
def groqrack() -> MachineSpec:
    return load_machine("groqrack")


@pytest.mark.parametrize(
    ("name", "data_bits", "correctable"),
    [("none", 2560, 0), ("secded", 2560, 1), ("rs528", 5140, 7), ("rs544", 5140, 15)],
)
def test_a_code_corrects_half_its_redundancy_at_most(
    name: str, data_bits: int, correctable: int
) -> None:
    code = fec_codes()[name]
    assert code.data_symbols * code.symbol_bits == data_bits
    assert code.correctable_symbols == correctable
    assert 2 * correctable <= code.codeword_symbols - code.data_symbols


def test_the_code_of_a_link_comes_with_its_numbers(groqrack: MachineSpec) -> None:
    assert groqrack.fec.parameters == fec_codes()["secded"]


def test_a_code_has_the_parameters_of_its_table() -> None:
    assert FecSpec(code="rs544").parameters == FecCode(
        symbol_bits=10,
        codeword_symbols=544,
        data_symbols=514,
        correctable_symbols=15,
        in_frame=False,
        decode_cycles=fec_codes()["rs544"].decode_cycles,
    )


def test_an_unknown_code_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"no such code; did you mean 'rs544'\?"):
        FecSpec(code="rs545")
