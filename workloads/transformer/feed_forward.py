"""The feed-forward block: dense or of experts, gated or plain."""

from specs.errors import SpecError
from workloads.attributes import ProductAttributes
from workloads.feed_forward_attributes import ActivateAttributes, ChoiceAttributes
from workloads.operator_graph import Block
from workloads.operators import SHARED, Function
from workloads.transformer.block_builder import BlockBuilder, Transformer
from workloads.transformer.residual_stream import (
    block_input,
    reduced_output,
    scaled_input,
    weighed_input,
)


def feed_forward(transformer: Transformer, *, post_norm: bool = False) -> list[Block]:
    """Return a transformer graph's feed-forward blocks, of experts and dense.

    Parameters
    ----------
    transformer
        The transformer. With several experts, their matrices follow each other in one
        tensor, and each row uses those that its router chooses, beside a shared expert
        if there is one.
    post_norm
        Whether the output is normalised before it is added to the residual.
    """
    model = transformer.model
    routed = set(filter(model.has_experts, range(model.layers)))
    kinds = (sorted(routed), sorted(set(range(model.layers)) - routed))
    return [
        _feed_forward(transformer, tuple(layers), post_norm)
        for layers in kinds
        if layers
    ]


def _feed_forward(
    transformer: Transformer, layers: tuple[int, ...], post_norm: bool
) -> Block:
    model = transformer.model
    experts, shared = model.experts_in(layers[0]), model.shared_size(layers[0])
    builder = BlockBuilder(transformer, "feed_forward", layers)
    normed, choices = _input(builder, experts, gated=shared > 0)
    choice, shared_choice = choices
    columns = experts * model.inner_size(layers[0])
    activated = [_activated(builder, normed, columns, choice, experts=experts)]
    if shared:
        activated.append(
            _activated(builder, normed, shared, shared_choice, prefix=SHARED)
        )
    matrices = [builder.weights("down.weight", model.hidden_size, columns)]
    if shared:
        matrices.append(
            builder.weights(f"{SHARED}down.weight", model.hidden_size, shared)
        )
    (partial,) = builder.operator(
        "down",
        Function.PRODUCT,
        [*activated, *matrices],
        {"partial": model.hidden_size},
        ProductAttributes(lefts=len(activated)),
    )
    biased = model.feed_forward_biases
    output = reduced_output(
        builder,
        partial,
        bias=builder.weights("down.bias", experts, model.hidden_size)
        if biased
        else None,
        choice=choice if biased else None,
        post_norm=post_norm,
    )
    return builder.block(output)


def _activated(
    builder: BlockBuilder,
    normed: str,
    columns: int,
    choice: str | None,
    *,
    experts: int = 1,
    prefix: str = "",
) -> str:
    """Add projections into a feed-forward and its activation; return what it makes.

    Parameters
    ----------
    builder, normed
        The block, and its normed rows.
    columns
        Intermediate columns, of all experts.
    choice
        Weights that multiply the columns of each expert, if any.
    experts
        Number of experts.
    prefix
        Begin of all names.
    """
    model = builder.transformer.model
    settings, gated = model.numerical_settings, model.structure.gated
    biased = model.feed_forward_biases and not prefix
    names = ("gate", "up") if gated else ("up",)
    kinds = [f"{prefix}{name}" for name in names]
    matrices = [
        builder.weights(f"{kind}.weight", columns, model.hidden_size) for kind in kinds
    ]
    inner = builder.operator(
        prefix + "_".join(names),
        Function.PRODUCT,
        [normed, *matrices],
        dict.fromkeys(kinds, columns),
        ProductAttributes(),
    )
    biases = [builder.weights(f"{kind}.bias", 1, columns) for kind in kinds if biased]
    (activated,) = builder.operator(
        f"{prefix}activate",
        Function.ACTIVATE,
        [*inner, *biases, *([choice] if choice else [])],
        {f"{prefix}activated": columns},
        ActivateAttributes(
            activation=settings.activation,
            gated=gated,
            biased=biased,
            experts=experts,
            chosen=choice is not None,
            alpha=settings.gate_alpha,
            limit=settings.gate_limit,
            offset=settings.gate_offset,
            weighs_inputs=choice is not None
            and not prefix
            and model.structure.weighs_inputs,
        ),
    )
    return activated


def _input(
    builder: BlockBuilder, experts: int, *, gated: bool
) -> tuple[str, tuple[str | None, str | None]]:
    """Add the norm and the router; return normed rows, and weights of the experts.

    Parameters
    ----------
    builder, experts
        The block, and its experts.
    gated
        Whether there is a shared expert, which may have a gate of its own.
    """
    transformer = builder.transformer
    model, norm = transformer.model, transformer.norm
    if experts == 1:
        parallel = model.block_order.is_parallel
        return block_input(builder, parallel=parallel), (None, None)
    if not model.structure.normalises_inputs:
        raise SpecError(f"{model.name}: experts without a norm are not modelled")
    unbiased = norm.centred and not model.structure.norm_biases
    if unbiased or model.block_order.is_parallel:
        raise SpecError(
            f"{model.name}: experts beside attention, or behind a LayerNorm without a "
            "bias, are not modelled"
        )
    weighed, squares = weighed_input(builder)
    gated = gated and model.shared_expert_gate
    routers = [builder.weights("router.weight", experts, model.hidden_size)]
    if gated:
        routers.append(builder.weights(f"{SHARED}router.weight", 1, model.hidden_size))
    # A mean is subtracted from the rows later: their scores need those of the norm.
    affine = ("norm.weight", "norm.bias") if norm.centred else ()
    (scores,) = builder.operator(
        "router",
        Function.ROUTER,
        [weighed, *routers, *map(builder.name, affine)],
        # The score of a gated shared expert is the last one.
        {"router_scores": (1 + len(affine)) * (experts + gated)},
        wide=("router_scores",),
    )
    normed = scaled_input(builder, weighed, squares)
    vectors = [
        builder.weights(f"{kind}.bias", 1, experts)
        for kind, has in (
            ("router", model.router.bias),
            ("router_correction", model.router.correction),
        )
        if has
    ]
    results = {"choice": experts, **({f"{SHARED}choice": 1} if gated else {})}
    choices = builder.operator(
        "choose",
        Function.CHOOSE,
        [scores, squares, *vectors],
        results,
        ChoiceAttributes(
            experts=experts,
            experts_per_token=model.experts_per_token,
            columns=model.hidden_size,
            epsilon=norm.epsilon,
            centred=norm.centred,
            router=model.router,
        ),
        wide=tuple(results),
    )
    return normed, (choices[0], choices[1] if gated else None)
