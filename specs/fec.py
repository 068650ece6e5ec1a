"""Forward error correction codes as data."""

from functools import cache

from pydantic import Field, field_validator

from specs.errors import nearest
from specs.shipped_files import shipped_path
from specs.validation import Spec, build, read_mapping


class FecCode(Spec):
    """A forward error correction code: codewords of symbols, some correctable.

    Parameters
    ----------
    symbol_bits, codeword_symbols, data_symbols
        Bits of a symbol, symbols on the wire, and those of them that carry data.
    correctable_symbols
        Wrong symbols in one codeword that the decoder repairs.
    decode_cycles
        Constant latency that the decoder adds, in nominal cycles.
    """

    symbol_bits: int = Field(gt=0)
    codeword_symbols: int = Field(gt=0)
    data_symbols: int = Field(gt=0)
    correctable_symbols: int = Field(ge=0)
    decode_cycles: int = Field(ge=0)


class FecSpec(Spec):
    """Which of the codes in ``fec_codes.toml`` the links use."""

    code: str

    @field_validator("code")
    @classmethod
    def _code_is_known(cls, code: str) -> str:
        if code not in fec_codes():
            raise ValueError(f"no such code; {nearest(code, fec_codes())}")
        return code

    @property
    def parameters(self) -> FecCode:
        """Return the code's numbers."""
        return fec_codes()[self.code]


@cache
def fec_codes() -> dict[str, FecCode]:
    """Return the shipped FEC codes by name."""
    return {
        name: build(FecCode, numbers, f"fec_codes.toml [{name}]")
        for name, numbers in read_mapping(shipped_path("fec_codes.toml")).items()
    }
