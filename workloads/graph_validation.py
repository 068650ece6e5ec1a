"""Checks of an operator graph: every tensor made once, before its use, and of a size.

They work on tensors and operators that are expanded already.
"""

from collections.abc import Iterable, Mapping, Sequence

from specs.errors import SpecError
from specs.graph import Role
from workloads.attributes import (
    AddAttributes,
    AttentionAttributes,
    CandidateAttributes,
    EmbedAttributes,
    HeadNormAttributes,
    LinearAttributes,
    NormAttributes,
    PositionAttributes,
    ProductAttributes,
    TablesAttributes,
)
from workloads.feed_forward_attributes import ActivateAttributes, ChoiceAttributes
from workloads.graph_attributes import (
    LookupRowsAttributes,
    MatrixProductAttributes,
    PairedProductAttributes,
    VectorAttributes,
)
from workloads.operators import LAYER, Function, GraphOperator, GraphTensor, TokenRows

_MADE = (Role.ACTIVATION, Role.OUTPUT)
# Attributes that are a number of things of which there is one at least.
_COUNTS = ("heads", "kv_heads", "head_dim", "experts", "experts_per_token")
# Attributes that each function has.
ATTRIBUTES: Mapping[Function, type | None] = {
    Function.EMBED: EmbedAttributes,
    Function.ADD_TABLES: TablesAttributes,
    Function.NORM_WEIGH: NormAttributes,
    Function.NORM_SCALE: NormAttributes,
    Function.NORM_ADD: NormAttributes,
    Function.PRODUCT: ProductAttributes,
    Function.HEAD_NORM: HeadNormAttributes,
    Function.HEAD_SCALE: HeadNormAttributes,
    Function.LATENT_NORM: NormAttributes,
    Function.OUTPUT_GATE: None,
    Function.CONVOLVE: LinearAttributes,
    Function.UNIT_NORM: LinearAttributes,
    Function.DECAY: None,
    Function.DELTA_RULE: LinearAttributes,
    Function.GATED_NORM: LinearAttributes,
    Function.POSITION: PositionAttributes,
    Function.SCORES: AttentionAttributes,
    Function.SOFTMAX: None,
    Function.VALUES: AttentionAttributes,
    Function.ADD: AddAttributes,
    Function.ROUTER: None,
    Function.CHOOSE: ChoiceAttributes,
    Function.ACTIVATE: ActivateAttributes,
    Function.CANDIDATE: CandidateAttributes,
    Function.SAMPLE: None,
    Function.MATRIX_PRODUCT: MatrixProductAttributes,
    Function.PAIRED_PRODUCT: PairedProductAttributes,
    Function.VECTOR: VectorAttributes,
    Function.LOOKUP_ROWS: LookupRowsAttributes,
}


def check_rows(rows: TokenRows) -> None:
    """Check a workload's graph: there are rows, and all are in the context.

    Raises
    ------
    SpecError
        If a number of sequences or positions is not positive, or positions are computed
        or answered that are not there.
    """
    if rows.batch < 1:
        raise SpecError(f"rows: batch = {rows.batch}; it is at least 1")
    if not 1 <= rows.answer_tokens <= rows.query_tokens <= rows.context:
        raise SpecError(
            f"rows: answer_tokens = {rows.answer_tokens}, query_tokens = "
            f"{rows.query_tokens}, context = {rows.context}; each is at least 1 and at "
            f"most the next"
        )


def check_layer(
    name: str,
    layers: Sequence[int],
    tensors: Iterable[GraphTensor],
    operators: Iterable[GraphOperator],
) -> None:
    """Check a workload's graph: blocks name what is different in each layer.

    Raises
    ------
    SpecError
        If layers are not ascending, or a name is the same in all layers.
    """
    if list(layers) != sorted(set(layers)) or any(layer < 0 for layer in layers):
        raise SpecError(f"block {name}: layers {tuple(layers)} are not ascending")
    if not layers:
        return
    names = [*(each.name for each in tensors), *(each.name for each in operators)]
    for same in names:
        if LAYER not in same:
            raise SpecError(
                f"block {name}: {same!r} is the same in each of {len(layers)} "
                f"layers; add {LAYER}"
            )


def check_tensors(tensors: Sequence[GraphTensor]) -> None:
    """Check a workload's graph: tensors are declared once, and copies are alike.

    Raises
    ------
    SpecError
        If a name is declared twice, a size is not positive, or a copy is of no weights
        of its size.
    """
    by_name: dict[str, GraphTensor] = {}
    for tensor in tensors:
        if tensor.name in by_name:
            raise SpecError(f"tensor {tensor.name!r} is declared twice")
        if tensor.rows < 1 or tensor.columns < 1:
            raise SpecError(f"tensor {tensor.name!r} is empty: {_size(tensor)}")
        by_name[tensor.name] = tensor
    for tensor in tensors:
        if tensor.copy_of is None:
            continue
        source = by_name.get(tensor.copy_of)
        if source is None or _size(source) != _size(tensor) or _is_made(tensor):
            raise SpecError(
                f"tensor {tensor.name!r} is no copy of {tensor.copy_of!r}: both must "
                f"be weights of {_size(tensor)}"
            )


def check_operators(
    operators: Iterable[GraphOperator], tensors: Mapping[str, GraphTensor]
) -> None:
    """Check a workload's graph: operands exist when read, results are made once.

    Raises
    ------
    SpecError
        If there is no operand, or one is unknown or not made yet, if a result is made
        twice or never, if the attributes are those of another function, or if the sizes
        of a product do not fit.
    """
    made: set[str] = set()
    for operator in operators:
        if not operator.inputs or not operator.outputs:
            raise SpecError(f"{operator.name}: reads nothing or makes nothing")
        for name in (*operator.inputs, *operator.outputs):
            if name not in tensors:
                raise SpecError(f"{operator.name}: tensor {name!r} is not declared")
        for name in operator.inputs:
            if _is_made(tensors[name]) and name not in made:
                raise SpecError(f"{operator.name}: {name!r} is read before it is made")
        for name in operator.outputs:
            if not _is_made(tensors[name]):
                role = tensors[name].role
                raise SpecError(f"{operator.name}: makes {name!r}, which is {role}")
            if name in made:
                raise SpecError(f"{operator.name}: {name!r} is made twice")
            made.add(name)
        _check_attributes(operator)
        if operator.function in (Function.PRODUCT, Function.ROUTER):
            _check_product(operator, tensors)
    never = [n for n, each in tensors.items() if _is_made(each) and n not in made]
    if never:
        raise SpecError(f"no operator makes {', '.join(map(repr, never))}")


def _is_made(tensor: GraphTensor) -> bool:
    """Return whether an operator makes the tensor."""
    return tensor.role in _MADE


def _size(tensor: GraphTensor) -> str:
    """Return the size of a tensor as text."""
    return f"{tensor.rows} x {tensor.columns}"


def _check_attributes(operator: GraphOperator) -> None:
    """Check that an operator has the attributes of its function."""
    wanted = ATTRIBUTES[operator.function]
    if type(operator.attributes) is not (wanted or type(None)):
        kind = wanted.__name__ if wanted else "no attributes"
        raise SpecError(f"{operator.name}: {operator.function} needs {kind}")
    for field in _COUNTS:
        count = getattr(operator.attributes, field, 1)
        if count < 1:
            raise SpecError(f"{operator.name}: {field} = {count}; it is at least 1")


def _check_product(operator: GraphOperator, tensors: Mapping[str, GraphTensor]) -> None:
    """Check that each matrix of a product fits the operand and makes a result."""
    attributes, results = operator.attributes, [tensors[n] for n in operator.outputs]
    count = attributes.lefts if isinstance(attributes, ProductAttributes) else 1
    operands = [tensors[name] for name in operator.inputs]
    lefts, matrices = operands[:count], operands[count:]
    if count > 1:
        if len(matrices) != count or len(results) != 1:
            raise SpecError(
                f"{operator.name}: {count} left operands and {len(matrices)} matrices "
                f"make {len(results)} results; each has a matrix, and the sum is one"
            )
        results = results * count
    elif operator.function is Function.ROUTER:
        # The scores by several matrices lie side by side.
        _check_scores(operator, lefts[0], matrices, results[0])
        return
    else:
        lefts = lefts * len(matrices)
    if len(matrices) != len(results):
        raise SpecError(
            f"{operator.name}: {len(matrices)} matrices make {len(results)} results"
        )
    for left, matrix, result in zip(lefts, matrices, results, strict=True):
        if matrix.columns != left.columns or matrix.rows != result.columns:
            raise _unfit(operator, left, matrix, result)


def _check_scores(
    operator: GraphOperator,
    left: GraphTensor,
    matrices: Sequence[GraphTensor],
    result: GraphTensor,
) -> None:
    """Check that the scores of a router are those of all its matrices.

    Two vectors behind them, weights and bias of a norm, have scores of their own.
    """
    affine = [each for each in matrices[1:] if "norm." in each.name]
    matrices = [each for each in matrices if each not in affine]
    for matrix in matrices:
        if matrix.columns != left.columns:
            raise _unfit(operator, left, matrix, result)
    scores = sum(matrix.rows for matrix in matrices)
    if scores * (1 + len(affine)) != result.columns:
        raise _unfit(operator, left, matrices[-1], result)


def _unfit(
    operator: GraphOperator, left: GraphTensor, matrix: GraphTensor, result: GraphTensor
) -> SpecError:
    """Return the error of a matrix that does not fit an operand or a result."""
    return SpecError(
        f"{operator.name}: {_size(left)} times the transpose of "
        f"{matrix.name!r}, {_size(matrix)}, is not {_size(result)}"
    )
