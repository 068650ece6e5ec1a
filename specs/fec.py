"""Forward error correction (FEC) codes: their sizes, strength and latency."""

from fractions import Fraction
from functools import cache

from pydantic import Field, field_validator

from specs.errors import nearest
from specs.shipped_files import shipped_path
from specs.validation import Spec, build, read_mapping


class FecCode(Spec):
    """Forward error correction code with codewords of symbols.

    Parameters
    ----------
    symbol_bits, codeword_symbols, data_symbols
        Bits per symbol, symbols per codeword, and those of them that carry data.
    correctable_symbols
        Wrong symbols per codeword that the decoder corrects.
    in_frame
        Whether the frame of a vector has room for the check symbols. Otherwise they are
        sent besides, and cost line rate.
    decode_cycles
        Constant latency of the decoder, in nominal cycles.
    """

    symbol_bits: int = Field(gt=0)
    codeword_symbols: int = Field(gt=0)
    data_symbols: int = Field(gt=0)
    correctable_symbols: int = Field(ge=0)
    in_frame: bool
    decode_cycles: int = Field(ge=0)

    @property
    def expansion(self) -> Fraction:
        """Return the symbols on the wire for each symbol of frames.

        >>> [str(fec_codes()[name].expansion) for name in ("secded", "rs528", "rs544")]
        ['1', '264/257', '272/257']
        """
        if self.in_frame:
            return Fraction(1)
        return Fraction(self.codeword_symbols, self.data_symbols)


class FecSpec(Spec):
    """Choice of the code in ``fec_codes.toml`` that the links use."""

    code: str

    @field_validator("code")
    @classmethod
    def _code_is_known(cls, code: str) -> str:
        if code not in fec_codes():
            raise ValueError(f"no such code; {nearest(code, fec_codes())}")
        return code

    @property
    def parameters(self) -> FecCode:
        """Return the parameters of the code."""
        return fec_codes()[self.code]


@cache
def fec_codes() -> dict[str, FecCode]:
    """Return the shipped FEC code specs by name."""
    return {
        name: build(FecCode, numbers, f"fec_codes.toml [{name}]")
        for name, numbers in read_mapping(shipped_path("fec_codes.toml")).items()
    }
