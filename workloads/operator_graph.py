"""Operator graph: an iteration of a model as blocks, each with the layers it is in."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple, final

from specs.errors import SpecError, nearest
from specs.graph import Role
from workloads.graph_validation import (
    check_layer,
    check_operators,
    check_rows,
    check_tensors,
)
from workloads.operators import (
    LAYER,
    RESIDUAL,
    GraphOperator,
    GraphTensor,
    TokenRows,
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Block: the operators of a part of a layer, written once for all its layers.

    Parameters
    ----------
    name
        Name of the part, such as ``attention``.
    tensors
        Tensors that are made or kept in the block.
    operators
        Operators in order. ``{layer}`` in a name stands for the layer, ``{residual}``
        for what the preceding block hands on, and ``{layer_input}`` for what that one
        took on.
    hands_on
        Name of the tensor that the next block takes on.
    layers
        Layers in which it is, ascending; empty for a block that is there once.
    """

    name: str
    tensors: tuple[GraphTensor, ...]
    operators: tuple[GraphOperator, ...]
    hands_on: str
    layers: tuple[int, ...] = ()


class PlacedBlock(NamedTuple):
    """Block in one of its layers.

    Attributes
    ----------
    block
        The block.
    layer
        The layer, None for a block that is there once.
    residual
        Tensor that the preceding block hands on, empty for the first.
    layer_input
        Tensor that the preceding block took on, empty for the first two.
    """

    block: Block
    layer: int | None
    residual: str
    layer_input: str = ""

    def tensors(self) -> tuple[GraphTensor, ...]:
        """Return the tensors of the block in this layer."""
        return tuple(tensor.placed(self.layer) for tensor in self.block.tensors)

    def operators(self) -> tuple[GraphOperator, ...]:
        """Return the operators of the block in this layer, in order."""
        return tuple(
            operator.placed(self.layer, self.residual, self.layer_input)
            for operator in self.block.operators
        )


@final
@dataclass(frozen=True, kw_only=True)
class OperatorGraph:
    """Operator graph: one iteration of a model, not sharded.

    Parameters
    ----------
    name
        Name of the model.
    rows
        Tokens of the iteration.
    blocks
        Blocks in order. Consecutive ones that have layers are repeated together, layer
        after layer.

    Raises
    ------
    SpecError
        If an operator reads what no operator before it makes, if a tensor is made or
        declared twice or never, if sizes do not fit, or if rows are not of the
        context.
    """

    name: str
    rows: TokenRows
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        check_rows(self.rows)
        for block in self.blocks[:1]:
            if any(RESIDUAL in each.inputs for each in block.operators):
                raise SpecError(f"block {block.name} is the first; it takes nothing on")
        for block in self.blocks:
            check_layer(block.name, block.layers, block.tensors, block.operators)
        # Layers of one kind differ in nothing but their number.
        placed = self._placed(self._first_of_each_kind())
        tensors = [tensor for each in placed for tensor in each.tensors()]
        check_tensors(tensors)
        operators = [operator for each in placed for operator in each.operators()]
        check_operators(operators, {tensor.name: tensor for tensor in tensors})

    @property
    def layers(self) -> int:
        """Return the number of layers."""
        return len({layer for block in self.blocks for layer in block.layers})

    def placed_blocks(self) -> tuple[PlacedBlock, ...]:
        """Return the blocks in all their layers, in order."""
        return self._placed(None)

    def operators(self) -> Iterator[GraphOperator]:
        """Return the operators of all layers in order."""
        for placed in self.placed_blocks():
            yield from placed.operators()

    def tensors(self) -> tuple[GraphTensor, ...]:
        """Return the tensors of all layers, in the order of the blocks."""
        return tuple(self._by_name.values())

    def tensor(self, name: str) -> GraphTensor:
        """Return the tensor of a name.

        Raises
        ------
        SpecError
            If there is none; the message has the nearest name.
        """
        if name not in self._by_name:
            raise SpecError(
                f"{self.name}: there is no tensor {name!r}; "
                f"{nearest(name, self._by_name)}"
            )
        return self._by_name[name]

    def of_role(self, role: Role) -> tuple[GraphTensor, ...]:
        """Return the tensors of a role, in the order of the blocks."""
        return tuple(tensor for tensor in self.tensors() if tensor.role is role)

    @property
    def parameters(self) -> int:
        """Return the number of weights; copies count once."""
        weights = self.of_role(Role.WEIGHTS)
        return sum(tensor.elements for tensor in weights if tensor.copy_of is None)

    @cached_property
    def _by_name(self) -> dict[str, GraphTensor]:
        placed = self.placed_blocks()
        return {tensor.name: tensor for each in placed for tensor in each.tensors()}

    def _first_of_each_kind(self) -> set[int]:
        """Return the first layer of each set of blocks that some layer has."""
        kinds: dict[tuple[int, ...], int] = {}
        for layer in sorted({layer for b in self.blocks for layer in b.layers}):
            kind = tuple(i for i, b in enumerate(self.blocks) if layer in b.layers)
            kinds.setdefault(kind, layer)
        return set(kinds.values())

    def _placed(self, only: set[int] | None) -> tuple[PlacedBlock, ...]:
        """Return the blocks in order, in all their layers or some of them."""
        placed: list[PlacedBlock] = []

        def place(block: Block, layer: int | None) -> None:
            before = placed[-1] if placed else None
            residual = (
                before.block.hands_on.replace(LAYER, str(before.layer))
                if before
                else ""
            )
            layer_input = before.residual if before else ""
            placed.append(PlacedBlock(block, layer, residual, layer_input))

        for repeated, blocks in groupby(self.blocks, key=lambda b: bool(b.layers)):
            if not repeated:
                for block in blocks:
                    place(block, None)
                continue
            by_layer: dict[int, list[Block]] = {}
            for block in blocks:
                for layer in block.layers:
                    if only is None or layer in only:
                        by_layer.setdefault(layer, []).append(block)
            for layer in sorted(by_layer):
                for block in by_layer[layer]:
                    place(block, layer)
        return tuple(placed)
