"""Topologies of well-known graph families by a name such as ``torus:8x8*2``.

A name consists of a family, its sides after a colon, and after a star the number of
lanes: parallel cables, or parallel trees of a fat tree. Without sides, those that suit
the number of chips are chosen.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from specs.errors import TopologyError
from topologies.builders.fat_tree import fat_tree_topology
from topologies.builders.flat_chips import MOST_CHIPS
from topologies.builders.torus_and_butterfly import (
    flattened_butterfly_topology,
    torus_topology,
)
from topologies.topology import Topology

FAMILIES = ("torus", "flattened-butterfly", "hypercube", "full-mesh", "fat-tree")

_EXAMPLES = {
    "torus": "torus, torus:2d, torus:8x9 or torus:8x8*2",
    "flattened-butterfly": "flattened-butterfly or flattened-butterfly:8x4x2",
    "hypercube": "hypercube or hypercube:6",
    "full-mesh": "full-mesh or full-mesh:8",
    "fat-tree": "fat-tree or fat-tree:4x3 (arity x levels)",
}
# After the family: dimensions or sides; then lanes.
_NAME = re.compile(r"([a-z-]+)(?::(?:([1-9])d|(\d{1,6}(?:x\d{1,6})*)))?(?:\*([1-9]))?")
# Number of sides that a family takes, if not any number.
_SIDES = {"hypercube": 1, "full-mesh": 1, "fat-tree": 2}
# Dimensions of a hypercube and levels of a tree; more make too many chips.
_MOST_LEVELS = MOST_CHIPS.bit_length() - 1
_TORUS_DIMENSIONS = 3
# A torus may have more chips than requested where its sides would otherwise be too
# uneven: where their sum exceeds that of a cube by more than a tenth.
_MOST_UNEVEN = 1.1


class _Name(NamedTuple):
    """Parts of a topology name."""

    family: str
    dimensions: int
    sides: tuple[int, ...]
    lanes: int


def names_a_family(name: str) -> bool:
    """Return whether the family in `name` is one of the `FAMILIES` to build."""
    return _family(name) in FAMILIES


def family_chips(name: str) -> int | None:
    """Return the number of working chips to build by `name`, None without sides.

    Raises
    ------
    TopologyError
        If the name cannot be read.

    Examples
    --------
    >>> family_chips("fat-tree:4x3")
    64
    """
    parsed = _parsed(name)
    if not parsed.sides:
        return None
    if parsed.family == "hypercube":
        return int(2 ** parsed.sides[0])
    if parsed.family == "fat-tree":
        arity, levels = parsed.sides
        return int(arity**levels)
    return math.prod(parsed.sides)


def family_topology(chips: int, name: str, *, ports_per_chip: int) -> Topology:
    """Build the topology called `name`, with sides that suit `chips` if it has none.

    Parameters
    ----------
    chips
        Working chips at least; the topology may have more.
    name
        Family, sides and lanes, such as ``"torus:8x8*2"``.
    ports_per_chip
        Most links a chip may have.

    Raises
    ------
    TopologyError
        If the name cannot be read or no topology of that family is possible.

    Examples
    --------
    >>> family_topology(64, "torus", ports_per_chip=11).name
    'torus:4x4x4'
    """
    family, dimensions, sides, lanes = _parsed(name)
    if chips > MOST_CHIPS:
        raise TopologyError(f"{name}: {chips} chips asked for; ask for {MOST_CHIPS}")
    if family == "torus":
        sides = sides or _torus_sides(chips, dimensions)
        return torus_topology(sides, lanes=lanes, ports_per_chip=ports_per_chip)
    if family == "fat-tree":
        arity, levels = sides or _tree_sides(chips, ports_per_chip)
        return fat_tree_topology(
            arity, levels, lanes=lanes, ports_per_chip=ports_per_chip
        )
    if family == "hypercube":
        sides = (2,) * (sides[0] if sides else max(1, (chips - 1).bit_length()))
    elif family == "full-mesh":
        sides = sides or (max(2, chips),)
    else:
        sides = sides or _butterfly_sides(chips, ports_per_chip // lanes)
    return flattened_butterfly_topology(
        sides, lanes=lanes, ports_per_chip=ports_per_chip
    )


def _family(name: str) -> str:
    """Return the family to build, the part of `name` before sides and lanes."""
    return re.split(r"[:*]", name, maxsplit=1)[0]


def _parsed(name: str) -> _Name:
    """Return the parts of the `name` to build, or raise an error with examples."""
    family = _family(name)
    match = _NAME.fullmatch(name)
    _, dimensions, listed, lanes = match.groups() if match else (None,) * 4
    sides = tuple(map(int, listed.split("x"))) if listed else ()
    bounded = family in ("hypercube", "fat-tree")
    most = _MOST_LEVELS if bounded else max(sides, default=0)
    if (
        match is None
        or (sides and len(sides) != _SIDES.get(family, len(sides)))
        or (dimensions and family != "torus")
        or 0 in sides
        or (sides and sides[-1] > most)
    ):
        raise TopologyError(f"no topology {name!r}; write {_EXAMPLES[family]}")
    return _Name(family, int(dimensions or _TORUS_DIMENSIONS), sides, int(lanes or 1))


def _factorisations(product: int, smallest: int = 2) -> Iterator[tuple[int, ...]]:
    """Yield each factorisation of `product` into sides to build, ascending, from 2."""
    yield (product,)
    for factor in range(smallest, math.isqrt(product) + 1):
        if product % factor == 0:
            for rest in _factorisations(product // factor, factor):
                yield (factor, *rest)


def _torus_sides(chips: int, dimensions: int) -> tuple[int, ...]:
    """Return the most even sides to build the smallest torus that is even enough."""
    product = max(chips, 2**dimensions)
    while True:
        even = dimensions * product ** (1 / dimensions)
        fitting = [
            sides
            for sides in _factorisations(product)
            if len(sides) == dimensions and sum(sides) <= _MOST_UNEVEN * even
        ]
        if fitting:
            return min(fitting, key=sum)[::-1]
        product += 1


def _butterfly_sides(chips: int, ports: int) -> tuple[int, ...]:
    """Return the sides to build the smallest flattened butterfly within the ports.

    Among its shapes the one with the fewest mean hops is taken. A chip spends a port on
    each other chip of its rows, so rows of two make the most chips: ``2 ** ports``.
    """
    for product in range(max(2, chips), min(2**ports, MOST_CHIPS) + 1):
        fitting = [
            sides
            for sides in _factorisations(product)
            if sum(sides) - len(sides) <= ports
        ]
        if fitting:
            return min(fitting, key=lambda sides: sum(1 - 1 / k for k in sides))[::-1]
    raise TopologyError(
        f"a flattened butterfly of chips with {ports} ports has {2**ports} chips at "
        f"most, but {chips} are asked for; use another topology or set chip.ports"
    )


def _tree_sides(chips: int, ports: int) -> tuple[int, int]:
    """Return arity and levels to build the fat tree with the fewest leaves."""
    if chips <= ports:
        return max(2, chips), 1
    trees = [
        (arity, math.ceil(math.log(chips, arity) - 1e-9))
        for arity in range(2, ports // 2 + 1)
    ]
    if not trees:
        raise TopologyError(
            f"a fat tree over {chips} chips needs chips with 4 ports, got {ports}"
        )
    return min(trees, key=lambda tree: (tree[0] ** tree[1], tree[1]))
