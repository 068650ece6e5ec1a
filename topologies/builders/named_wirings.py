"""Wirings of other machines, of the same chips, by a name such as ``torus:8x8*2``.

A name is a kind, then after a colon its sides, then after a star how many cables (for a
fat tree: trees) lie side by side. Without sides, those that suit the chips are chosen.
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

ALTERNATIVES = ("torus", "flattened-butterfly", "hypercube", "full-mesh", "fat-tree")

_EXAMPLES = {
    "torus": "torus, torus:2d, torus:8x9 or torus:8x8*2",
    "flattened-butterfly": "flattened-butterfly or flattened-butterfly:8x4x2",
    "hypercube": "hypercube or hypercube:6",
    "full-mesh": "full-mesh or full-mesh:8",
    "fat-tree": "fat-tree or fat-tree:4x3 (arity x levels)",
}
# After the kind: dimensions or sides; then lanes.
_NAME = re.compile(r"([a-z-]+)(?::(?:([1-9])d|(\d{1,6}(?:x\d{1,6})*)))?(?:\*([1-9]))?")
# How many sides a kind can be given, if not any number.
_SIDES = {"hypercube": 1, "full-mesh": 1, "fat-tree": 2}
# Dimensions of a hypercube, levels of a tree: with more there are too many chips.
_MOST_LEVELS = MOST_CHIPS.bit_length() - 1
_TORUS_DIMENSIONS = 3
# A torus may have a few chips more than asked for if its sides would be too uneven:
# if their sum is more than a tenth above that of a cube.
_UNEVEN = 1.1


class _Name(NamedTuple):
    kind: str
    dimensions: int
    sides: tuple[int, ...]
    lanes: int


def is_alternative(name: str) -> bool:
    """Return whether `name` begins with one of `ALTERNATIVES`."""
    return _kind(name) in ALTERNATIVES


def alternative_chips(name: str) -> int | None:
    """Return the working chips that the sides in `name` make, None without sides.

    Raises
    ------
    TopologyError
        If the name cannot be read.

    Examples
    --------
    >>> alternative_chips("fat-tree:4x3")
    64
    """
    parsed = _parsed(name)
    if not parsed.sides:
        return None
    if parsed.kind == "hypercube":
        return int(2 ** parsed.sides[0])
    if parsed.kind == "fat-tree":
        arity, levels = parsed.sides
        return int(arity**levels)
    return math.prod(parsed.sides)


def alternative_topology(chips: int, name: str, *, ports_per_chip: int) -> Topology:
    """Return the wiring called `name`, with sides that suit `chips` if it has none.

    Parameters
    ----------
    chips
        Chips that shall work; the wiring may have more.
    name
        Kind, sides and lanes, such as ``"torus:8x8*2"``.
    ports_per_chip
        Most links a chip may have.

    Raises
    ------
    TopologyError
        If the name cannot be read or no wiring of that kind is possible.

    Examples
    --------
    >>> alternative_topology(64, "torus", ports_per_chip=11).name
    'torus:4x4x4'
    """
    kind, dimensions, sides, lanes = _parsed(name)
    if chips > MOST_CHIPS:
        raise TopologyError(f"{name}: {chips} chips asked for; ask for {MOST_CHIPS}")
    if kind == "torus":
        sides = sides or _torus_sides(chips, dimensions)
        return torus_topology(sides, lanes=lanes, ports_per_chip=ports_per_chip)
    if kind == "fat-tree":
        arity, levels = sides or _tree_sides(chips, ports_per_chip)
        return fat_tree_topology(
            arity, levels, lanes=lanes, ports_per_chip=ports_per_chip
        )
    if kind == "hypercube":
        sides = (2,) * (sides[0] if sides else max(1, (chips - 1).bit_length()))
    elif kind == "full-mesh":
        sides = sides or (max(2, chips),)
    else:
        sides = sides or _butterfly_sides(chips, ports_per_chip // lanes)
    return flattened_butterfly_topology(
        sides, lanes=lanes, ports_per_chip=ports_per_chip
    )


def _kind(name: str) -> str:
    return re.split(r"[:*]", name, maxsplit=1)[0]


def _parsed(name: str) -> _Name:
    kind = _kind(name)
    found = _NAME.fullmatch(name)
    _, dimensions, listed, lanes = found.groups() if found else (None,) * 4
    sides = tuple(map(int, listed.split("x"))) if listed else ()
    most = _MOST_LEVELS if kind in ("hypercube", "fat-tree") else max(sides, default=0)
    if (
        found is None
        or (sides and len(sides) != _SIDES.get(kind, len(sides)))
        or (dimensions and kind != "torus")
        or 0 in sides
        or (sides and sides[-1] > most)
    ):
        raise TopologyError(f"no topology {name!r}; write {_EXAMPLES[kind]}")
    return _Name(kind, int(dimensions or _TORUS_DIMENSIONS), sides, int(lanes or 1))


def _factorisations(product: int, smallest: int = 2) -> Iterator[tuple[int, ...]]:
    """Yield the ways to write `product` as factors from 2, ascending."""
    yield (product,)
    for factor in range(smallest, math.isqrt(product) + 1):
        if product % factor == 0:
            for rest in _factorisations(product // factor, factor):
                yield (factor, *rest)


def _torus_sides(chips: int, dimensions: int) -> tuple[int, ...]:
    """Return the most even sides of the smallest torus that is not too uneven."""
    product = max(chips, 2**dimensions)
    while True:
        even = dimensions * product ** (1 / dimensions)
        fitting = [
            sides
            for sides in _factorisations(product)
            if len(sides) == dimensions and sum(sides) <= _UNEVEN * even
        ]
        if fitting:
            return min(fitting, key=sum)[::-1]
        product += 1


def _butterfly_sides(chips: int, ports: int) -> tuple[int, ...]:
    """Return the sides with the fewest mean hops of the smallest that the ports allow.

    With one port for each further chip of a row, `ports` chips more than one can be
    reached in a row, and rows of two reach furthest: 2 ** ports chips in all.
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
    """Return arity and levels of the tree with the fewest working chips that do."""
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
