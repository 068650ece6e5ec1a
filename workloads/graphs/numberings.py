"""Numberings of a workload's tensors, in which what a chip holds is a range.

Results of a product with weights are counted column after column, because its columns
are split over chips, and so are tensors that go with them. If the function chained to
the product takes an element of several blocks of columns, as of the gates of an LSTM,
these are beside each other, and the columns of the weights are stored in that order.
"""

from chip.element_numbering import Numbering, in_order
from specs.graph import Lookup, Matmul, Operator, Role, Vector
from workloads.graphs.workload import Workload


def weight_blocks(workload: Workload) -> dict[str, int]:
    """Return the blocks of columns of each weight matrix of a workload, at least 1.

    A chip has the columns of whole units: one column of each block.
    """
    blocks: dict[str, int] = {}
    for number, operator in enumerate(workload.operators):
        if isinstance(operator, Matmul):
            chain = chained_to(workload, number)
            own = chain.blocks if chain else 1
            blocks[operator.right] = max(own, blocks.get(operator.right, 1))
    return blocks


def chained_to(workload: Workload, number: int) -> Vector | None:
    """Return the operator chained to a workload's operator of a number, if any."""
    operators = workload.operators
    following = operators[number + 1] if number + 1 < len(operators) else None
    return following if isinstance(following, Vector) and following.chained else None


def numberings(workload: Workload) -> dict[str, Numbering]:
    """Return the numbering of each tensor of a workload but weights.

    A state is counted as the result that takes its place.
    """
    tensors = workload.by_name
    found: dict[str, Numbering] = {}
    blocks = weight_blocks(workload)
    for number, operator in enumerate(workload.operators):
        if isinstance(operator, Matmul) and _installs(workload, operator):
            chain = chained_to(workload, number)
            _number_product(workload, operator, chain, blocks, found)
        elif isinstance(operator, Lookup):
            output = tensors[operator.output]
            rows = output.matrices * output.rows
            found[output.name] = Numbering(rows, output.columns)
    for operator in workload.operators:
        _number_streamed(workload, operator, found)
    return {
        tensor.name: found.get(tensor.name, in_order(tensor.elements))
        for tensor in workload.tensors
        if tensor.role is not Role.WEIGHTS
    }


def _installs(workload: Workload, product: Matmul) -> bool:
    """Return whether the right operand of a product is weights."""
    return workload.by_name[product.right].role is Role.WEIGHTS


def _number_product(
    workload: Workload,
    product: Matmul,
    chain: Vector | None,
    blocks: dict[str, int],
    found: dict[str, Numbering],
) -> None:
    """Add the numberings of a product's result, and of what is chained to it."""
    tensors = workload.by_name
    output, columns = tensors[product.output], tensors[product.right].columns
    rows, own = output.elements // columns, blocks[product.right]
    units = columns // own
    found[output.name] = Numbering(rows, units, own)
    if chain is None:
        return
    for name in (*chain.inputs, *chain.outputs):
        elements = tensors[name].elements
        if elements == rows * units:
            found.setdefault(name, Numbering(rows, units))
        elif elements == output.elements:
            found.setdefault(name, found[output.name])


def _number_streamed(
    workload: Workload, operator: Operator, found: dict[str, Numbering]
) -> None:
    """Add the numberings of inputs of which a product streams some columns."""
    if not isinstance(operator, Matmul) or not _installs(workload, operator):
        return
    for name in operator.left:
        tensor = workload.by_name[name]
        if tensor.role is Role.INPUT:
            rows = tensor.matrices * tensor.rows
            found.setdefault(name, Numbering(rows, tensor.columns))
