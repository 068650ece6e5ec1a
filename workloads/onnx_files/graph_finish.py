"""Finish of an ONNX graph: its outputs, chained operators, and what is read."""

from collections.abc import Mapping, Sequence

from specs.graph import Lookup, Matmul, Operator, Role, Tensor, Vector
from specs.vector_functions import FACTS, VectorFunction
from workloads.onnx_files.graph_builder import OnnxGraphBuilder
from workloads.onnx_files.graph_folding import folded
from workloads.onnx_files.values import Value, dims_of
from workloads.onnx_files.weight_sources import OnnxGraph


def finished_graph(
    builder: OnnxGraphBuilder, outputs: Mapping[str, Value]
) -> OnnxGraph:
    """Return the graph of an ONNX file whose nodes are all read.

    Outputs have the order of the file, so that the host finds them as they are there.

    Parameters
    ----------
    builder
        What the nodes were added to.
    outputs
        Value of each output by name.
    """
    names: dict[str, str] = {}
    for name, value in outputs.items():
        builder.node = name
        base = builder.tensor(value)
        taken = base in names
        if taken or builder.tensors[base].role is not Role.ACTIVATION:
            dims = dims_of(value.shape)
            base = builder.vector(
                VectorFunction.COPY, (base,), value.shape, dims=dims
            ).base
        names[base] = name
    live = folded(builder, _live(builder.operators, set(names)), set(names))
    tensors = dict(builder.tensors)
    for base in names:
        tensors[base] = tensors[base].model_copy(update={"role": Role.OUTPUT})
    operators = _chained(tensors, live)
    used = {name for each in operators for name in (*each.reads, *each.makes)}
    # An output is called as in the file, and what was called so is not.
    free = {
        name: new if new == name or new not in tensors else f"{new}.output"
        for name, new in names.items()
    }
    return OnnxGraph(
        tuple(
            tensor.model_copy(update={"name": free.get(name, name)})
            for name, tensor in tensors.items()
            if name in used
        ),
        tuple(_renamed(each, free) for each in operators),
        {name: each for name, each in builder.weights.items() if name in used},
    )


def _live(operators: Sequence[Operator], needed: set[str]) -> list[Operator]:
    """Return the operators that outputs follow from."""
    found = []
    for operator in reversed(operators):
        if needed & set(operator.makes):
            needed |= set(operator.reads)
            found.append(operator)
    return found[::-1]


def _chained(
    tensors: Mapping[str, Tensor], operators: Sequence[Operator]
) -> list[Operator]:
    """Return operators of which some take the results of a product as it makes them.

    These are functions of elements in their places, of a product that nothing else
    reads; the other operands must be there before it.
    """
    readers: dict[str, list[int]] = {}
    maker: dict[str, int] = {}
    for number, operator in enumerate(operators):
        maker |= dict.fromkeys(operator.makes, number)
        for name in operator.reads:
            readers.setdefault(name, []).append(number)
    follows: dict[int, int] = {}
    for number, product in enumerate(operators):
        if not isinstance(product, Matmul) or len(readers.get(product.output, ())) != 1:
            continue
        (place,) = readers[product.output]
        vector, output = operators[place], tensors[product.output]
        if not isinstance(vector, Vector) or output.role is Role.OUTPUT:
            continue
        others = [name for name in vector.inputs if name != product.output]
        assert vector.function is not None
        facts = FACTS[vector.function]
        if (
            facts.in_place
            and facts.passes == facts.blocks == 1
            and tensors[vector.outputs[0]].elements == output.elements
            and all(maker.get(name, -1) < number for name in others)
        ):
            follows[number] = place
    moved, found = set(follows.values()), []
    for number, operator in enumerate(operators):
        if number in moved:
            continue
        found.append(operator)
        if number in follows:
            vector = operators[follows[number]]
            found.append(vector.model_copy(update={"chained": True}))
    return found


def _renamed(operator: Operator, names: Mapping[str, str]) -> Operator:
    """Return an operator with other names of tensors."""

    def of(known: Sequence[str]) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in known)

    changed: dict[str, object] = {}
    if isinstance(operator, Vector):
        changed = {"inputs": of(operator.inputs), "outputs": of(operator.outputs)}
    elif isinstance(operator, Lookup):
        changed = {"index": of(operator.index), "output": of((operator.output,))[0]}
    else:
        changed = {
            "left": of(operator.left),
            "right": of((operator.right,))[0],
            "output": of((operator.output,))[0],
        }
    return operator.model_copy(update=changed)
