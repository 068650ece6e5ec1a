"""Number formats of elements."""

from enum import StrEnum

from specs.units import BITS_PER_BYTE, ceil_div


class Format(StrEnum):
    """Number format of a stored element."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    FP4 = "fp4"

    @property
    def bits(self) -> int:
        """Return the bits of one element."""
        return _BITS[self]

    def bytes_of(self, elements: int) -> int:
        """Return the size of `elements` numbers, in whole bytes.

        >>> Format.INT4.bytes_of(3)
        2
        """
        return ceil_div(elements * self.bits, BITS_PER_BYTE)


_BITS = {
    Format.FP32: 32,
    Format.FP16: 16,
    Format.BF16: 16,
    Format.FP8: 8,
    Format.INT8: 8,
    Format.INT4: 4,
    Format.FP4: 4,
}
