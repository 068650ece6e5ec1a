"""Products, vector operators and lookups of graphs that are not of a model.

Each function takes a call and returns the array of each result. Values are rows of
elements, counted as the settings say.
"""

import numpy as np

from fabric.functional_engine.call import Call
from fabric.functional_engine.graph_settings import GraphSettings, natural
from fabric.functional_engine.memory import Array
from specs.errors import SpecError


def matrix_product(call: Call) -> list[Array]:
    """Execute: rows times the matrices that each uses, of a chip's rows and columns.

    The parts of the result are the rows of the matrices.
    """
    graph = _graph(call)
    low, high = call.weights[0].first, call.weights[0].last
    beside, begin = [], 0
    for name in graph.inputs[: graph.left]:
        columns = graph.shapes[name].columns
        first = min(max(low - begin, 0), columns)
        last = min(max(high - begin, 0), columns)
        if first < last:
            beside.append(_value(call, name)[:, first:last])
        begin += columns
    left = np.hstack(beside)
    matrices = [matrix.array for matrix in call.weights]
    if graph.chosen:
        choice = _value(call, graph.inputs[-1]).reshape(len(left), -1).astype(np.int64)
        made = np.stack(
            [
                np.stack([row @ matrices[number] for number in own])
                for row, own in zip(left, choice.tolist(), strict=True)
            ]
        )
    else:
        made = np.stack([left @ matrix for matrix in matrices], axis=1)
    (result,) = call.writes
    # Columns are stored as they are counted: those of one place of all blocks together.
    rows = made.reshape(-1, made.shape[-1])
    blocks = graph.blocks
    units = rows.reshape(len(rows), -1, blocks).transpose(1, 0, 2).reshape(-1)
    assert len(units) == result.columns, f"{call.name}: another result than is stated"
    return [units]


def total(call: Call) -> list[Array]:
    """Execute: the sum of all parts, which reading them has joined."""
    (parts,) = call.reads
    return [parts.array]


def paired_product(call: Call) -> list[Array]:
    """Execute: products of a chip's matrices in pairs."""
    graph = _graph(call)
    (result,) = call.writes
    *left, right = graph.inputs
    side = np.hstack([_value(call, name) for name in left])
    pairs = _value(call, right)
    sides = side.reshape(graph.matrices, -1, side.shape[1])
    made = sides @ pairs.reshape(graph.matrices, -1, pairs.shape[1])
    return [made.reshape(-1)[result.first : result.last]]


def vector(call: Call) -> list[Array]:
    """Execute: a vector function on all rows, or in the places of a chip's results."""
    graph = _graph(call)
    if graph.kernel is None:
        raise SpecError(
            f"{call.name} does not say what it computes; give it a function"
        )
    operands = [_value(call, name) for name in graph.inputs]
    shapes = [graph.shapes[result.name] for result in call.writes]
    if not graph.in_place:
        made = graph.kernel(operands)
        return [
            np.asarray(each).reshape(-1)[shape.numbering.places(one.first, one.last)]
            for each, shape, one in zip(made, shapes, call.writes, strict=True)
        ]
    result, shape = call.writes[0], shapes[0]
    places = shape.numbering.places(result.first, result.last)
    size = shape.rows * shape.columns
    taken = [
        _at(operand, places, shape.columns, size, graph.blocks if wide else 1)
        for operand, wide in zip(
            operands, _are_wide(operands, shape.columns, graph.blocks), strict=True
        )
    ]
    return [np.asarray(each).reshape(-1) for each in graph.kernel(taken)]


def lookup_rows(call: Call) -> list[Array]:
    """Execute: the sum of the rows of tables at numbers, of a chip's columns."""
    graph = _graph(call)
    numbers = graph.inputs[len(call.weights) :]
    if len(numbers) != len(call.weights):
        raise SpecError(
            f"{call.name} looks up {len(call.weights)} tables, and {len(numbers)} "
            f"tensors of row numbers are its index; give one for each"
        )
    found = [
        table.array[_value(call, name).reshape(-1).astype(np.int64)]
        for table, name in zip(call.weights, numbers, strict=True)
    ]
    return [sum(found[1:], start=found[0]).T.reshape(-1)]


def _graph(call: Call) -> GraphSettings:
    """Return the settings of a call's operator."""
    assert call.settings.graph is not None, f"{call.name}: no settings"
    return call.settings.graph


def _value(call: Call, name: str) -> Array:
    """Return an operand as a matrix; elements that were not read are NaN."""
    held = [
        each.array
        for each in call.weights
        if each.name == name or each.name.rpartition("[")[0] == name
    ]
    if held:
        return np.vstack(held)
    shape = _graph(call).shapes[name]
    made = None
    for each in call.reads:
        if each.name == name:
            part = natural(shape, each.first, each.last, each.array)
            made = part if made is None else np.where(np.isnan(made), part, made)
    assert made is not None, f"{call.name}: does not read {name}"
    return made


def _are_wide(operands: list[Array], columns: int, blocks: int) -> list[bool]:
    """Return which operands have blocks of columns: the first, and biases of it."""
    return [
        blocks > 1 and (not n or (len(each) == 1 and each.shape[1] == blocks * columns))
        for n, each in enumerate(operands)
    ]


def _at(operand: Array, places: Array, columns: int, size: int, blocks: int) -> Array:
    """Return an operand's elements in the places of results, shape ``(n, blocks)``.

    Parameters
    ----------
    operand
        The operand, as large as the result, or rows of it that repeat, or a single
        element; its columns may be several blocks of those of the result.
    places
        Places of the results, row after row.
    columns, size
        Columns and elements of the result.
    blocks
        Blocks of the operand's columns.
    """
    flat, wide = operand.reshape(-1), columns * blocks
    row, column = np.divmod(places, columns)
    if flat.size == 1:
        return flat[np.zeros_like(places)][:, None]
    if flat.size != size * blocks:
        # A row goes with all rows; several begin again for each sample.
        row %= flat.size // wide
    block = columns * np.arange(blocks)
    return flat[(row * wide + column)[:, None] + block]
