"""Products, vector functions and lookups of graphs that are not of a model.

Each function takes the operator, its operands in order and the rows of the iteration,
and returns the results in order.
"""

from collections.abc import Sequence

import numpy as np

from specs.errors import SpecError
from specs.vector_functions import FACTS
from workloads.graph_attributes import (
    LookupRowsAttributes,
    MatrixProductAttributes,
    PairedProductAttributes,
    VectorAttributes,
)
from workloads.operators import GraphOperator, TokenRows
from workloads.reference.activations import Array
from workloads.reference.residual_stream import Results
from workloads.reference.vector_functions import vector_kernel


def matrix_product(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): each row times the matrices that it uses."""
    attributes = operator.attributes_as(MatrixProductAttributes)
    left = np.hstack(operands[: attributes.left])
    weights = operands[attributes.left]
    matrices = weights.reshape(attributes.matrices, -1, weights.shape[1])
    if attributes.chosen:
        if attributes.left + 1 == len(operands):
            raise SpecError(
                f"{operator.name} multiplies with {attributes.used} of "
                f"{attributes.matrices} matrices, and nothing says with which; name "
                f"the tensor of their numbers as its choice"
            )
        choice = operands[-1].reshape(len(left), attributes.used).astype(np.int64)
        made = np.stack(
            [
                np.stack([row @ matrices[number] for number in own])
                for row, own in zip(left, choice.tolist(), strict=True)
            ]
        )
    else:
        made = np.stack([left @ matrix for matrix in matrices], axis=1)
    return (made.reshape(attributes.shape),)


def paired_product(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): the products of matrices in pairs."""
    attributes = operator.attributes_as(PairedProductAttributes)
    *left, right = operands
    beside = np.hstack(left)
    side = beside.reshape(attributes.matrices, -1, beside.shape[1])
    pairs = right.reshape(attributes.matrices, -1, right.shape[1])
    return ((side @ pairs).reshape(attributes.shape),)


def vector(operator: GraphOperator, operands: Sequence[Array], _: TokenRows) -> Results:
    """Evaluate (reference): the function of a vector operator.

    Raises
    ------
    SpecError
        If the operator does not say what it computes.
    """
    attributes = operator.attributes_as(VectorAttributes)
    if attributes.function is None:
        raise SpecError(
            f"{operator.name} does not say what it computes; give it a function"
        )
    shape = attributes.shapes[0]
    # What blocks of columns are taken of has other rows than the results.
    blocks = FACTS[attributes.function].blocks
    alone = blocks > 1 or not FACTS[attributes.function].in_place
    laid = [each if alone else _laid(each, shape) for each in operands]
    made = vector_kernel(attributes)(laid)
    return tuple(
        np.asarray(each).reshape(shape)
        for each, shape in zip(made, attributes.shapes, strict=True)
    )


def _laid(operand: Array, shape: tuple[int, int]) -> Array:
    """Return an operand as a matrix of a size, or a row or an element of it.

    Rows of weights that several samples share begin again for each one.
    """
    rows, columns = shape
    if operand.size == rows * columns:
        return operand.reshape(shape)
    if len(operand) == 1:
        return operand
    return np.tile(operand, (rows // len(operand), 1))


def lookup_rows(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): the sum of rows of tables, one of each."""
    count = operator.attributes_as(LookupRowsAttributes).tables
    tables, numbers = operands[:count], operands[count:]
    if len(tables) != len(numbers):
        raise SpecError(
            f"{operator.name} looks up {len(tables)} tables, and {len(numbers)} "
            f"tensors of row numbers are its index; give one for each"
        )
    found = [
        table[each.reshape(-1).astype(np.int64)]
        for table, each in zip(tables, numbers, strict=True)
    ]
    return (sum(found[1:], start=found[0]),)
