"""Sizes of the feed-forwards that a model's graph has, dense or of experts."""

from collections.abc import Sequence

from specs.block_order import BlockOrder
from workloads.feed_forward_attributes import ActivateAttributes, ChoiceAttributes
from workloads.operator_graph import Block
from workloads.operators import LAYER_INPUT, SHARED, Function, GraphOperator


def feed_forward_sizes(blocks: Sequence[Block]) -> dict[str, object]:
    """Return the fields of a model spec that concern the feed-forwards of its graph.

    Parameters
    ----------
    blocks
        Blocks of the graph that activate and add: at least one, of one kind each.
    """
    routed = [block for block in blocks if _activation(block).experts > 1]
    dense = [block for block in blocks if block not in routed]
    first = (dense or routed)[0]
    sizes: dict[str, object] = {
        "intermediate_size": _columns(first) // _activation(first).experts,
        "experts": 1,
        "experts_per_token": 1,
        "feed_forward_biases": any(
            tensor.name.endswith("feed_forward.down.bias")
            for block in blocks
            for tensor in block.tensors
        ),
        "block_order": _block_order(blocks),
    }
    if not routed:
        return sizes
    (block, *_) = routed
    choose = _operator(block, Function.CHOOSE)
    choice = choose.attributes_as(ChoiceAttributes)
    shared = [each for each in _activations(block) if SHARED in each.outputs[0]]
    return {
        **sizes,
        "experts": choice.experts,
        "experts_per_token": choice.experts_per_token,
        "router": choice.router,
        "expert_intermediate_size": _columns(block) // choice.experts if dense else 0,
        "shared_intermediate_size": _columns(block, shared[0]) if shared else 0,
        "shared_expert_gate": len(choose.outputs) > 1,
        "expert_layers": block.layers if dense else None,
    }


def _block_order(blocks: Sequence[Block]) -> BlockOrder:
    """Return what feed-forward blocks take as their input."""
    if not any(LAYER_INPUT in o.inputs for b in blocks for o in b.operators):
        return BlockOrder.SEQUENTIAL
    shares = any(tensor.copy_of for block in blocks for tensor in block.tensors)
    return BlockOrder.ONE_NORM if shares else BlockOrder.PARALLEL


def _activations(block: Block) -> list[GraphOperator]:
    """Return the activations of a block in order."""
    return [each for each in block.operators if each.function is Function.ACTIVATE]


def _activation(block: Block) -> ActivateAttributes:
    """Return the attributes of the first activation of a block."""
    return _activations(block)[0].attributes_as(ActivateAttributes)


def _operator(block: Block, function: Function) -> GraphOperator:
    """Return the first operator of a function that a block has."""
    return next(each for each in block.operators if each.function is function)


def _columns(block: Block, activation: GraphOperator | None = None) -> int:
    """Return the columns that an activation of a block makes, the first if None."""
    made = (activation or _activations(block)[0]).outputs[0]
    return next(each.columns for each in block.tensors if each.name == made)
