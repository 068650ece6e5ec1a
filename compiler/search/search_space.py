"""The strategies that a search looks at: widths, and how a group shares a layer."""

from sharding.parallelism.feasibility import check_model
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from specs.errors import PlanError
from specs.model import ModelSpec

# Chips of a node, whose links are their own, and nodes of a rack.
_NODE_CHIPS = 8
_RACK_NODES = 9
# Groups of up to two nodes may be shared in any way. In wider ones a grid has nodes as
# rows, and attention is on a node or where no two chips share a head, by turns within a
# rack: other ways exchange as widely as the whole group does.
FEW_CHIPS = 2 * _NODE_CHIPS
# On machines of more than sixteen racks, groups wider than a rack are of whole nodes:
# others exchange in rows that nodes cut, and would be most of what is looked at.
_MOST_EVERY_WIDTH = 16 * _RACK_NODES * _NODE_CHIPS


def widths(chips: int, model: ModelSpec) -> list[int]:
    """Return the tensor widths that a search looks at, ascending.

    Parameters
    ----------
    chips
        Chips that there are.
    model
        What is split; no group is wider than its hidden size.

    Examples
    --------
    >>> from specs.model import load_model
    >>> widths(4, load_model("gpt2"))
    [1, 2, 3, 4]
    >>> len(widths(10_440, load_model("llama-2-70b")))
    1087
    """
    rack = _RACK_NODES * _NODE_CHIPS
    return [
        width
        for width in range(1, min(chips, model.hidden_size) + 1)
        if chips <= _MOST_EVERY_WIDTH or width <= rack or width % _NODE_CHIPS == 0
    ]


def splits(model: ModelSpec, width: int, *, plain: bool = False) -> list[Strategy]:
    """Return the ways in which a group may share a layer, each as a single stage.

    Attention is on all chips or on some in turns, and a feed-forward lies in rows, in a
    grid, or in groups of experts that hold whatever is chosen.

    Parameters
    ----------
    model
        What is split.
    width
        Chips of the group.
    plain
        Whether to leave out all but the one in which all chips share everything alike.

    Examples
    --------
    >>> from specs.model import load_model
    >>> [str(split) for split in splits(load_model("llama-2-70b"), 3)]
    ['tensor=3,pipeline=1', 'tensor=3,pipeline=1,attention=1']
    """
    if plain:
        return [Strategy(tensor=width, pipeline=1)]
    if width <= FEW_CHIPS:
        layouts, parts = list(FeedForwardLayout), list(range(1, width))
    else:
        nodes = width % _NODE_CHIPS == 0
        layouts = list(FeedForwardLayout) if nodes else [FeedForwardLayout.ONE_D]
        sizes = sorted({_NODE_CHIPS, model.kv_heads})
        parts = [part for part in sizes if part < width <= _RACK_NODES * part]
    attending = [0, *(part for part in parts if width % part == 0)]
    return [
        split
        for expert in range(1, model.experts + 1)
        for layout in layouts
        for attention in attending
        if (split := _split(model, width, expert, attention, layout)) is not None
    ]


def _split(
    model: ModelSpec, width: int, expert: int, attention: int, layout: FeedForwardLayout
) -> Strategy | None:
    """Return what these words say, None if the model or the width does not allow it."""
    try:
        split = Strategy(
            tensor=width,
            pipeline=1,
            expert=expert,
            attention=attention,
            layout=layout,
        )
        check_model(split, model)
    except PlanError:
        return None
    return split
