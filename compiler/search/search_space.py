"""Search space: the tensor widths, and the splits of a layer, that a search evaluates.

The limits follow from the machine: chips of a node exchange over links of their own,
and racks are further apart than the nodes within them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sharding.parallelism.feasibility import check_model
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from specs.errors import PlanError
from specs.model import ModelSpec
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK
from topologies.topology import Topology


class MachineShape(NamedTuple):
    """Sizes of the parts of a machine that limit the space.

    Attributes
    ----------
    node_chips, rack_chips
        Chips of a node and of a rack.
    """

    node_chips: int = CHIPS_PER_NODE
    rack_chips: int = CHIPS_PER_RACK

    @property
    def few_chips(self) -> int:
        """Return the width up to which every split of a group is evaluated.

        In groups wider than two nodes a grid has nodes as rows, and attention is on a
        node or where no two chips share a head, in alternating groups within a rack:
        other splits exchange as widely as the whole group does.
        """
        return 2 * self.node_chips

    @property
    def most_every_width(self) -> int:
        """Return the chips up to which groups of every width are evaluated.

        On larger machines groups wider than a rack are of whole nodes: others exchange
        in rows that nodes cut, and would be most of the space.
        """
        return 16 * self.rack_chips


GROQRACK = MachineShape()


def machine_shape(topology: Topology) -> MachineShape:
    """Return a machine's shape for the search space; parts it lacks are a GroqRack's.

    A torus has nodes of one chip, and a list of links without levels is a single node:
    neither tells which chips neighbour each other.
    """
    node_chips = int(np.bincount(topology.node).max())
    if not 1 < node_chips < topology.chips:
        return GROQRACK
    rack_chips = int(np.bincount(topology.rack).max())
    if rack_chips == node_chips:
        rack_chips = node_chips * (CHIPS_PER_RACK // CHIPS_PER_NODE)
    return MachineShape(node_chips, rack_chips)


def widths(chips: int, model: ModelSpec, shape: MachineShape = GROQRACK) -> list[int]:
    """Return the tensor widths in the search space, ascending.

    Parameters
    ----------
    chips
        Chips that there are.
    model
        What is split; no group is wider than its hidden size.
    shape
        The machine's nodes and racks.

    Examples
    --------
    >>> from specs.model import load_model
    >>> widths(4, load_model("gpt2"))
    [1, 2, 3, 4]
    >>> len(widths(10_440, load_model("llama-2-70b")))
    1087
    """
    return [
        width
        for width in range(1, min(chips, model.hidden_size) + 1)
        if chips <= shape.most_every_width
        or width <= shape.rack_chips
        or width % shape.node_chips == 0
    ]


def splits(
    model: ModelSpec,
    width: int,
    shape: MachineShape = GROQRACK,
    *,
    plain: bool = False,
) -> list[Strategy]:
    """Return a layer's splits in the search space, each as a single-stage strategy.

    Attention is on all chips or on alternating groups, and a feed-forward is split in
    rows, in a grid, or over groups of experts.

    Parameters
    ----------
    model
        What is split.
    width
        Chips of the group.
    shape
        The machine's nodes and racks.
    plain
        Whether to return only the split in which all chips share every layer alike.

    Examples
    --------
    >>> from specs.model import load_model
    >>> [str(split) for split in splits(load_model("llama-2-70b"), 3)]
    ['tensor=3,pipeline=1', 'tensor=3,pipeline=1,attention=1']
    """
    if plain:
        return [Strategy(tensor=width, pipeline=1)]
    if width <= shape.few_chips:
        layouts, parts = list(FeedForwardLayout), list(range(1, width))
    else:
        nodes = width % shape.node_chips == 0
        layouts = list(FeedForwardLayout) if nodes else [FeedForwardLayout.ONE_D]
        sizes = sorted({shape.node_chips, model.kv_heads})
        turns = shape.rack_chips // shape.node_chips
        parts = [part for part in sizes if part < width <= turns * part]
    attending = [0, *(part for part in parts if width % part == 0)]
    return [
        split
        for expert in range(1, model.experts + 1)
        # Groups are of as many chips and experts each.
        if model.experts % expert == width % expert == 0
        for layout in layouts
        for attention in attending
        if (split := _split(model, width, expert, attention, layout)) is not None
    ]


def strategies_on(
    model: ModelSpec, chips: int, shape: MachineShape = GROQRACK
) -> Iterator[Strategy]:
    """Yield the strategies of the search space that take exactly so many chips.

    First come those in which the chips of a group share every layer alike.

    Parameters
    ----------
    model
        What is split.
    chips
        Chips that all of them take.
    shape
        The machine's nodes and racks.

    Examples
    --------
    >>> from specs.model import load_model
    >>> len(list(strategies_on(load_model("gpt2"), 2)))
    3
    """
    dividing = [each for each in widths(chips, model, shape) if chips % each == 0]
    found = [split for width in dividing for split in splits(model, width, shape)]
    alike = [each for each in found if each == Strategy(tensor=each.tensor, pipeline=1)]
    for split in (*alike, *(each for each in found if each not in alike)):
        yield replace(split, pipeline=chips // split.tensor)


def _split(
    model: ModelSpec, width: int, expert: int, attention: int, layout: FeedForwardLayout
) -> Strategy | None:
    """Return the split of these keys, None if model or width do not allow for it."""
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
