"""The feed-forward block: dense or of experts, gated or plain."""

from specs.errors import SpecError
from workloads.attributes import (
    ActivateAttributes,
    ChoiceAttributes,
    ProductAttributes,
)
from workloads.operator_graph import Block
from workloads.operators import Function
from workloads.transformer.block_builder import BlockBuilder, Transformer
from workloads.transformer.residual_stream import (
    reduced_output,
    scaled_input,
    weighed_input,
)


def feed_forward(transformer: Transformer, *, post_norm: bool = False) -> Block:
    """Return a transformer graph's feed-forward block, for all layers.

    Parameters
    ----------
    transformer
        The transformer. With several experts, their matrices follow each other in one
        tensor, and each row uses those that its router chooses.
    post_norm
        Whether the output is normalised before it is added to the residual.

    Raises
    ------
    SpecError
        If experts are chosen behind a LayerNorm.
    """
    model = transformer.model
    builder = BlockBuilder(transformer, "feed_forward", tuple(range(model.layers)))
    normed, choice = _input(builder)
    gated, biased = model.structure.gated, model.feed_forward_biases
    columns = model.experts * model.intermediate_size
    kinds = ("gate", "up") if gated else ("up",)
    matrices = [
        builder.weights(f"{kind}.weight", columns, model.hidden_size) for kind in kinds
    ]
    inner = builder.operator(
        "gate_up" if gated else "up",
        Function.PRODUCT,
        [normed, *matrices],
        dict.fromkeys(kinds, columns),
        ProductAttributes(),
    )
    biases = [builder.weights(f"{kind}.bias", 1, columns) for kind in kinds if biased]
    (activated,) = builder.operator(
        "activate",
        Function.ACTIVATE,
        [*inner, *biases, *([choice] if choice else [])],
        {"activated": columns},
        ActivateAttributes(
            activation=model.numerical_settings.activation,
            gated=gated,
            biased=biased,
            experts=model.experts,
        ),
    )
    down = builder.weights("down.weight", model.hidden_size, columns)
    (partial,) = builder.operator(
        "down",
        Function.PRODUCT,
        [activated, down],
        {"partial": model.hidden_size},
        ProductAttributes(),
    )
    output = reduced_output(
        builder,
        partial,
        bias=builder.weights("down.bias", model.experts, model.hidden_size)
        if biased
        else None,
        choice=choice if biased else None,
        post_norm=post_norm,
    )
    return builder.block(output)


def _input(builder: BlockBuilder) -> tuple[str, str | None]:
    """Add the norm and the router; return normed rows and weights of the experts."""
    transformer = builder.transformer
    model, norm = transformer.model, transformer.norm
    weighed, squares = weighed_input(builder)
    if model.experts == 1:
        return scaled_input(builder, weighed, squares), None
    if norm.centred:
        raise SpecError(f"{model.name}: experts behind a LayerNorm are not modelled")
    router = builder.weights("router.weight", model.experts, model.hidden_size)
    (scores,) = builder.operator(
        "router",
        Function.ROUTER,
        [weighed, router],
        {"router_scores": model.experts},
        wide=("router_scores",),
    )
    normed = scaled_input(builder, weighed, squares)
    vectors = [
        builder.weights(f"{kind}.bias", 1, model.experts)
        for kind, has in (
            ("router", model.router.bias),
            ("router_correction", model.router.correction),
        )
        if has
    ]
    (choice,) = builder.operator(
        "choose",
        Function.CHOOSE,
        [scores, squares, *vectors],
        {"choice": model.experts},
        ChoiceAttributes(
            experts=model.experts,
            experts_per_token=model.experts_per_token,
            columns=model.hidden_size,
            epsilon=norm.epsilon,
            router=model.router,
        ),
        wide=("choice",),
    )
    return normed, choice
