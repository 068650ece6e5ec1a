"""Work of an operator on one chip: a product, a vector operator, a load or a look-up.

Works of equal numbers are one kind: they take the same cycles and lower to the same
slice instructions, whatever layer they belong to. All sizes are of one chip's share.
"""

from typing import NamedTuple

from specs.units import BITS_PER_BYTE, ceil_div


class VectorWork(NamedTuple):
    """Work of a vector operator, whose operations are chained in the VXM.

    Attributes
    ----------
    elements
        Elements of the result, and of each operand.
    element_bits
        Bits of one in SRAM.
    operations
        Operations on each element within one pass.
    passes
        Passes, one after the other; each reads the operands and writes a result.
    operands
        Vectors that are read at the same time.
    reorders
        Whether the SXM permutes operands before the VXM and transposes the result
        after it.
    readers
        Number of the chip's next operators that read the result; 0 if SRAM is
        reserved for it throughout.
    reductions
        Reductions over the lanes of a vector, such as a sum or the largest element,
        one after the other. Those of many vectors overlap.
    vectors
        Vectors of equal length of which the elements are, each of which begins at the
        first lane; if 1, elements fill the lanes of all vectors but the last.
    """

    elements: int
    element_bits: int
    operations: int = 1
    passes: int = 1
    operands: int = 1
    reorders: bool = False
    readers: int = 1
    reductions: int = 0
    vectors: int = 1

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates of the MXM: none."""
        return 0

    @property
    def operand_bytes(self) -> int:
        """Return the bytes of all operands together."""
        bits = self.elements * self.operands * self.element_bits
        return ceil_div(bits, BITS_PER_BYTE)

    @property
    def result_bytes(self) -> int:
        """Return the bytes of SRAM that the result takes."""
        return ceil_div(self.elements * self.element_bits, BITS_PER_BYTE)

    @property
    def read_bytes(self) -> int:
        """Return the bytes that are read from SRAM in all passes."""
        return self.passes * self.operand_bytes

    @property
    def written_bytes(self) -> int:
        """Return the bytes that are written to SRAM in all passes."""
        return self.passes * self.result_bytes


class Shape(NamedTuple):
    """Shape of the matrices that a product installs, each with its own vectors.

    Attributes
    ----------
    inner
        Length of each part of the input vectors. A part is a vector of its own, which
        begins at the first lane.
    columns
        Length of each part of the results, side by side. Parts that meet element by
        element, such as gates, each begin at the first lane.
    matrices
        Number of matrices.
    """

    inner: tuple[int, ...]
    columns: tuple[int, ...]
    matrices: int = 1

    @property
    def elements(self) -> int:
        """Return the elements of all matrices, without padding."""
        return self.matrices * sum(self.inner) * sum(self.columns)


class ProductWork(NamedTuple):
    """Work of a matrix product, whose matrices pass the MXM in rounds of tiles.

    Attributes
    ----------
    shape
        Shape of the matrices: weights, or keys or values.
    rows
        Vectors that are multiplied with each matrix.
    stored_bytes
        Bytes of the matrices in SRAM, without padding.
    operand_bytes
        Mode of the MXM: bytes of the wider operand, 1 for INT8 or 2 for FP16.
    input_bytes, output_bytes
        Bytes of all input vectors, and of all output vectors.
    ready_rounds
        Rounds whose tiles lie in SRAM at an address known before the operator starts;
        of a KV cache, those without the newest positions.
    preloaded_rounds
        Those of them that are in the MXM's weight buffers when the operator starts.
    preloaded_bytes
        Bytes that these take in SRAM, which the operator does not read.
    chain
        Vector operator that results pass before they are written, if any; its operands
        are those beside the results.
    readers
        Number of the chip's next operators that read the result; 0 if SRAM is
        reserved for it throughout.
    """

    shape: Shape
    rows: int
    stored_bytes: int
    operand_bytes: int
    input_bytes: int
    output_bytes: int
    ready_rounds: int = 0
    preloaded_rounds: int = 0
    preloaded_bytes: int = 0
    chain: VectorWork | None = None
    readers: int = 1

    @property
    def weights(self) -> int:
        """Return the elements of the matrices, without padding."""
        return self.shape.elements

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates, without those of padding."""
        return self.weights * self.rows

    @property
    def streamed_bytes(self) -> int:
        """Return the bytes of the matrices read from SRAM during the operator."""
        return self.stored_bytes - self.preloaded_bytes

    @property
    def read_bytes(self) -> int:
        """Return the bytes that the operator itself reads from SRAM."""
        beside = self.chain.read_bytes if self.chain else 0
        return self.streamed_bytes + self.input_bytes + beside

    @property
    def written_bytes(self) -> int:
        """Return the bytes that it writes to SRAM."""
        return self.chain.written_bytes if self.chain else self.output_bytes

    @property
    def result_bytes(self) -> int:
        """Return the bytes of SRAM that its result takes."""
        return self.chain.result_bytes if self.chain else self.output_bytes


class LoadWork(NamedTuple):
    """Work of a weight prefetch: the first rounds of a product loaded ahead of it.

    Attributes
    ----------
    rounds
        Rounds of tiles that are loaded.
    round_cycles
        Cycles in which each is loaded.
    stored_bytes
        Bytes that they take in SRAM.
    widening
        Whether the VXM widens the weights on the way.
    """

    rounds: int
    round_cycles: int
    stored_bytes: int
    widening: bool = False

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates: none."""
        return 0

    @property
    def read_bytes(self) -> int:
        """Return the bytes that are read from SRAM."""
        return self.stored_bytes

    @property
    def written_bytes(self) -> int:
        """Return the bytes that are written to SRAM: none."""
        return 0

    @property
    def result_bytes(self) -> int:
        """Return the bytes of SRAM that the result takes: none."""
        return 0

    @property
    def readers(self) -> int:
        """Return how many of the chip's next operators read a result: none."""
        return 0


class LookupWork(NamedTuple):
    """Work of a look-up in SRAM at an address that was just computed.

    Attributes
    ----------
    stored_bytes
        Bytes that are read, and stored unchanged until the first vector operator.
    readers
        Number of the chip's next operators that read the result; 0 if SRAM is
        reserved for it throughout.
    """

    stored_bytes: int
    readers: int = 1

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates: none."""
        return 0

    @property
    def read_bytes(self) -> int:
        """Return the bytes that are read from SRAM."""
        return self.stored_bytes

    @property
    def written_bytes(self) -> int:
        """Return the bytes that are written to SRAM."""
        return self.stored_bytes

    @property
    def result_bytes(self) -> int:
        """Return the bytes of SRAM that the result takes."""
        return self.stored_bytes


Work = ProductWork | LoadWork | VectorWork | LookupWork


def adding(elements: int, element_bits: int, summands: int) -> VectorWork:
    """Return a chip's work of an element-wise sum of vectors.

    Parameters
    ----------
    elements, element_bits
        Elements of each vector, and bits of an element.
    summands
        Vectors that are added; one operation is counted for each, also for the first.
    """
    return VectorWork(elements, element_bits, operations=summands, operands=summands)
