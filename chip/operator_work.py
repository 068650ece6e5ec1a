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
    """

    elements: int
    element_bits: int
    operations: int = 1
    passes: int = 1
    operands: int = 1
    reorders: bool = False
    readers: int = 1

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
    inner, columns
        Length of the input vectors, and of the results.
    matrices
        Number of matrices.
    """

    inner: int
    columns: int
    matrices: int = 1


class ProductWork(NamedTuple):
    """Work of a matrix product whose matrix streams through the MXM.

    Attributes
    ----------
    weights
        Elements of the matrix: weights, or keys or values.
    stored_bytes
        Bytes they take in SRAM.
    operand_bytes
        Bytes of an element as it enters the MXM.
    batch
        Vectors that are multiplied with each element.
    input_bytes, output_bytes
        Bytes of all input vectors, and of all output vectors.
    ready_bytes
        Bytes, as they enter the MXM, that lie in SRAM at an address known before the
        operator starts; of a KV cache, all but the newest positions.
    preloaded_bytes
        Those of them that are in the MXM's weight buffers when the operator starts.
    masked_macs
        Multiply-accumulates that a causal mask omits: not every vector is multiplied
        with every element.
    shape
        Shape of the matrix if partly filled tiles count; None if it streams as one.
    chain
        Vector operator that results pass before they are written, if any; its operands
        are those beside the results.
    readers
        Number of the chip's next operators that read the result; 0 if SRAM is
        reserved for it throughout.
    """

    weights: int
    stored_bytes: int
    operand_bytes: int
    batch: int
    input_bytes: int
    output_bytes: int
    ready_bytes: int = 0
    preloaded_bytes: int = 0
    masked_macs: int = 0
    shape: Shape | None = None
    chain: VectorWork | None = None
    readers: int = 1

    @property
    def macs(self) -> int:
        """Return the multiply-accumulates."""
        return self.weights * self.batch - self.masked_macs

    @property
    def fed_bytes(self) -> int:
        """Return the bytes that enter the MXM, ahead of the operator or during it."""
        return self.weights * self.operand_bytes

    @property
    def streamed_bytes(self) -> int:
        """Return the bytes of the matrix read from SRAM during the operator."""
        if self.weights == 0:
            return 0
        ahead = self.stored_bytes * self.preloaded_bytes // self.fed_bytes
        return self.stored_bytes - ahead

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
        return self.written_bytes


class LoadWork(NamedTuple):
    """Work of a weight prefetch: part of a product's matrix loaded ahead of it.

    Attributes
    ----------
    fed_bytes
        Bytes in the buffers.
    stored_bytes
        Bytes they take in SRAM.
    """

    fed_bytes: int
    stored_bytes: int

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
