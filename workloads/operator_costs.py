"""Costs of a graph's operators in closed form, before any split."""

from typing import NamedTuple

from specs.formats import Format
from specs.graph import Role
from specs.machine_formats import FormatsSpec
from specs.model_formats import ModelFormats, WeightGroup
from specs.weight_formats import WeightFormat
from workloads.attributes import AttentionAttributes, LinearAttributes
from workloads.feed_forward_attributes import ChoiceAttributes
from workloads.operator_graph import Block, OperatorGraph
from workloads.operators import (
    Function,
    GraphOperator,
    GraphTensor,
    is_recurrent,
    is_shared,
)


class OperatorCost(NamedTuple):
    """Cost of an operator.

    Attributes
    ----------
    macs
        Multiply-accumulates of products. Those of attention are of all positions, also
        of those that a mask leaves out.
    read_bytes
        Bytes of operands, each read once: of experts those that rows choose, at most
        all; of a table the rows that are looked up.
    written_bytes
        Bytes of results, and of states that are replaced.
    """

    macs: int
    read_bytes: int
    written_bytes: int


def operator_cost(
    graph: OperatorGraph,
    block: Block,
    operator: GraphOperator,
    formats: FormatsSpec,
    weights: ModelFormats | None = None,
    *,
    layer: int | None = None,
) -> OperatorCost:
    """Return the cost of an operator of a workload's graph, in one of its layers.

    Parameters
    ----------
    graph, block, operator
        The graph, one of its blocks, and an operator of that.
    formats
        Number formats of tensors that have none.
    weights
        Formats of the weights of a quantised checkpoint; None for the machine's.
    layer
        The layer, for a checkpoint whose layers differ in formats; the block's first
        if None.
    """
    tensors = {
        tensor.name: tensor
        for each in graph.blocks
        for tensor in each.tensors
        if each is block or not each.layers
    }
    own = [tensors[name] for name in operator.inputs if name in tensors]
    made = [tensors[name] for name in operator.outputs]
    rows, macs, read = made[0].rows, 0, 0
    stored = weights or ModelFormats.uniform(formats.weights)
    chosen, experts = _experts(block)
    if layer is None and block.layers:
        layer = block.layers[0]
    for tensor in own:
        if tensor.role is not Role.WEIGHTS:
            read += _format_of(tensor, formats).bytes_of(tensor.elements)
            continue
        elements, used, held = tensor.elements, 1, 1
        if operator.function is Function.EMBED:
            used, held = rows, tensor.rows
        elif operator.function is Function.PRODUCT and is_shared(tensor.name):
            macs += rows * elements
        elif operator.function is Function.PRODUCT:
            macs += rows * elements * chosen // experts
            used, held = min(experts, chosen * rows), experts
        elif operator.function is Function.ROUTER and "norm." not in tensor.name:
            macs += rows * elements
        group = _group_of(block, operator, tensor, experts)
        own_format = tensor.format or stored.of(group, layer)
        read += _weight_bytes(own_format, tensor, used, held)
    if operator.function in (Function.SCORES, Function.VALUES):
        attributes = operator.attributes_as(AttentionAttributes)
        # One for each position of each query head.
        scores = made[0] if operator.function is Function.SCORES else own[0]
        macs = scores.elements * attributes.head_dim
        if attributes.latent is not None:
            macs = _latent_macs(operator.function, attributes, scores, own[-1].rows)
    replaced = [each for each in own if is_recurrent(each.name)]
    if operator.function is Function.DELTA_RULE:
        # Each element is recalled by the key, corrected, and read by the query.
        sequences = (
            replaced[0].rows // operator.attributes_as(LinearAttributes).linear.key_dim
        )
        macs = 3 * replaced[0].elements * rows // sequences
    # What the block before hands on is as large as what is made of it first.
    handed_on = len(operator.inputs) - len(own)
    handed = tensors[block.operators[0].outputs[0]]
    read += handed_on * _format_of(handed, formats).bytes_of(handed.elements)
    return OperatorCost(
        macs=macs,
        read_bytes=read,
        written_bytes=sum(
            _format_of(each, formats).bytes_of(each.elements)
            for each in (*made, *replaced)
        ),
    )


def _latent_macs(
    function: Function,
    attributes: AttentionAttributes,
    scores: GraphTensor,
    cached: int,
) -> int:
    """Return the multiply-accumulates of scores or values, in the order with fewer.

    Either queries and values are multiplied by the weights from latents, or all
    `cached` rows of latents are.
    """
    latent = attributes.latent
    assert latent is not None
    of_head, of_latent, made = (
        (latent.head_dim, latent.cached_size, latent.plain_dim)
        if function is Function.SCORES
        else (latent.value_dim, latent.kv_rank, latent.value_dim)
    )
    weights = latent.kv_rank * made
    return min(
        scores.rows * weights + scores.elements * of_latent,
        cached * attributes.heads * weights + scores.elements * of_head,
    )


def _group_of(
    block: Block, operator: GraphOperator, tensor: GraphTensor, experts: int
) -> WeightGroup:
    """Return the group of tensors to which weights of an operator belong."""
    if operator.function is Function.EMBED:
        return WeightGroup.EMBEDDING
    if operator.function is not Function.PRODUCT:
        return WeightGroup.OTHERS
    if is_shared(tensor.name):
        return WeightGroup.SHARED_EXPERTS
    if block.name == WeightGroup.FEED_FORWARD and experts > 1:
        return WeightGroup.EXPERTS
    return WeightGroup(block.name)


def _weight_bytes(
    stored: Format | WeightFormat, tensor: GraphTensor, used: int, held: int
) -> int:
    """Return the bytes of `used` of the `held` equal parts of a matrix of weights.

    Experts are parts of the rows, or of the columns out of them; either way they have
    whole blocks.
    """
    elements = tensor.elements * used // held
    if isinstance(stored, Format):
        return stored.bytes_of(elements)
    if not stored.scaled:
        return stored.element.bytes_of(elements)
    return stored.matrix_bytes(tensor.rows, tensor.columns) * used // held


def _experts(block: Block) -> tuple[int, int]:
    """Return the experts that a row chooses, and those that there are."""
    for operator in block.operators:
        if operator.function is Function.CHOOSE:
            choice = operator.attributes_as(ChoiceAttributes)
            return choice.experts_per_token, choice.experts
    return 1, 1


def _format_of(tensor: GraphTensor, formats: FormatsSpec) -> Format:
    """Return the number format of a tensor."""
    if tensor.format is not None:
        return tensor.format
    cached = tensor.role is Role.STATE and not is_recurrent(tensor.name)
    return formats.kv_cache if cached else formats.activations
