"""Compiler settings: what a schedule may do at the same time."""

from specs.validation import Spec


class CompilerSpec(Spec):
    """Settings of the compiler.

    Parameters
    ----------
    overlap
        Whether chips multiply while they exchange: a product starts with the slice of
        its input that the chip has itself, and the columns that a chip keeps are
        multiplied last. It is done where the compiled time gains.
    """

    overlap: bool = True
