"""Operator graph of a workload: the values and functions of one iteration.

The matrices of a tensor follow each other as rows. A state is an input of the
iteration, and what takes its place is another result, so that each value is made once.
"""

from typing import NamedTuple

from specs.graph import Lookup, Matmul, Operator, Role, Tensor
from workloads.attributes import Attributes
from workloads.graph_attributes import (
    LookupRowsAttributes,
    MatrixProductAttributes,
    PairedProductAttributes,
    VectorAttributes,
)
from workloads.graphs.workload import Workload
from workloads.operator_graph import Block, OperatorGraph
from workloads.operators import Function, GraphOperator, GraphTensor, TokenRows

_ONE_ROW = TokenRows(batch=1, context=1, query_tokens=1, answer_tokens=1)
_NEXT = "'"


class WorkloadGraph(NamedTuple):
    """Operator graph of a workload's iteration.

    Attributes
    ----------
    graph
        The graph. Inputs and states before the iteration are its inputs.
    states
        Name of the value that takes the place of each state that is made.
    """

    graph: OperatorGraph
    states: dict[str, str]


def graph_of_workload(workload: Workload) -> WorkloadGraph:
    """Return the operator graph of a workload's iteration."""
    made = {name for operator in workload.operators for name in operator.makes}
    states = {
        tensor.name: f"{tensor.name}{_NEXT}"
        for tensor in workload.tensors
        if tensor.role is Role.STATE and tensor.name in made
    }
    tensors = [_tensor(tensor, tensor.name) for tensor in workload.tensors]
    tensors += [
        _tensor(workload.by_name[name], after, Role.OUTPUT)
        for name, after in states.items()
    ]
    newest: dict[str, str] = {}
    operators = []
    for operator in workload.operators:
        reads = tuple(newest.get(name, name) for name in operator.reads)
        newest |= {name: states[name] for name in operator.makes if name in states}
        operators.append(
            GraphOperator(
                name=_literal(operator.name),
                function=_function(workload, operator),
                inputs=tuple(map(_literal, reads)),
                outputs=tuple(_literal(states.get(n, n)) for n in operator.makes),
                attributes=_attributes(workload, operator),
            )
        )
    block = Block(
        name="graph",
        tensors=tuple(tensors),
        operators=tuple(operators),
        hands_on=tensors[-1].name,
    )
    graph = OperatorGraph(name=workload.name, rows=_ONE_ROW, blocks=(block,))
    return WorkloadGraph(graph, states)


def _literal(name: str) -> str:
    """Return a name in which braces stand for themselves."""
    return name.replace("{", "{{").replace("}", "}}")


def _tensor(tensor: Tensor, name: str, role: Role | None = None) -> GraphTensor:
    """Return a tensor with its matrices below each other."""
    own = role or tensor.role
    return GraphTensor(
        name=_literal(name),
        rows=tensor.matrices * tensor.rows,
        columns=tensor.columns,
        role=Role.INPUT if own is Role.STATE else own,
        format=tensor.format,
    )


def _function(workload: Workload, operator: Operator) -> Function:
    """Return what an operator computes."""
    if isinstance(operator, Matmul):
        weights = workload.by_name[operator.right].role is Role.WEIGHTS
        return Function.MATRIX_PRODUCT if weights else Function.PAIRED_PRODUCT
    if isinstance(operator, Lookup):
        return Function.LOOKUP_ROWS
    return Function.VECTOR


def _attributes(workload: Workload, operator: Operator) -> Attributes:
    """Return what the function of an operator needs beyond its operands."""
    tensors = workload.by_name
    shapes = tuple(
        (tensors[name].matrices * tensors[name].rows, tensors[name].columns)
        for name in operator.makes
    )
    if isinstance(operator, Matmul):
        right = tensors[operator.right]
        if right.role is not Role.WEIGHTS:
            return PairedProductAttributes(matrices=right.matrices, shape=shapes[0])
        return MatrixProductAttributes(
            left=len(operator.left),
            matrices=right.matrices,
            used=operator.chosen or right.matrices,
            chosen=operator.chosen is not None,
            shape=shapes[0],
        )
    if isinstance(operator, Lookup):
        return LookupRowsAttributes(tables=len(operator.tables))
    return VectorAttributes(
        function=operator.function,
        epsilon=operator.epsilon,
        shapes=shapes,
        views=operator.views,
        turns=operator.turns,
    )
