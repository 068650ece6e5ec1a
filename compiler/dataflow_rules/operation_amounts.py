"""Amounts of operations: the work that the regions of each operation take.

For `compiler.verify`; independent of the code that makes programs.
"""

from typing import final

import numpy as np

from chip.dataflow import Function
from compiler.dataflow_rules.experts.amounts import expert_slots
from compiler.dataflow_rules.instructions import summed_in_passing
from compiler.dataflow_rules.latent.amounts import (
    LATENT_PRODUCTS,
    latent_amounts,
    latent_elements,
)
from compiler.dataflow_rules.latent.functions import latent_sizes
from compiler.dataflow_rules.linear.amounts import linear_elements
from compiler.dataflow_rules.product_functions import experts_of, results_meet
from compiler.dataflow_rules.regions import MatrixParts, parts_of
from compiler.dataflow_rules.statements import Statements, beside
from compiler.dataflow_rules.value_sizes import (
    ValueSizes,
    attended_positions,
    looked_up_elements,
)
from compiler.dataflow_rules.weights.stored_weights import stored_inputs
from sharding.weights.task import Task
from specs.arrays import Ints
from workloads.attributes import AttentionAttributes

# Values that vector operators make as a part of another result.
_OF_NORM = (".norm.weight", ".norm.bias")
_BESIDE = ("squares", "sum_squares", "query_squares", "key_squares", "first_weighed")


@final
class OperationAmounts:
    """Amounts of each operation, arrays of shape ``(operations,)``.

    Parameters
    ----------
    statements
        The program's statements.
    sizes
        Sizes of its values.
    task
        Model, machine and routing of the plan.

    Attributes
    ----------
    weights, macs
        Matrix elements and multiply-accumulates of a product.
    stored_bits, widest_bits, scale_bytes
        Bits of its matrices, those of the widest element, and the least bytes of their
        scales.
    tiles, known_tiles
        Tiles of a product's matrices, padded; and those of keys or values that have no
        newest position.
    elements
        Elements that a vector operator takes at least.
    read_bytes
        Bytes that a lookup reads at least.
    made
        Elements of what an operation makes.
    scored
        Of attention, scores that enter or leave.
    rows
        Rows of what an operation makes.
    pairs
        Rows of the vectors of each column within experts: a token and one of its
        experts. Elsewhere as `rows`.
    """

    def __init__(self, statements: Statements, sizes: ValueSizes, task: Task) -> None:
        self._statements = statements
        self._sizes = sizes
        self._task = task
        count = len(statements.flow.operations)
        self.weights = np.zeros(count, dtype=np.int64)
        self.macs = np.zeros(count, dtype=np.int64)
        self.stored_bits = np.zeros(count, dtype=np.int64)
        self.widest_bits = np.zeros(count, dtype=np.int64)
        self.scale_bytes = np.zeros(count, dtype=np.int64)
        self.elements = np.zeros(count, dtype=np.int64)
        self.read_bytes = np.zeros(count, dtype=np.int64)
        self.made = np.zeros(count, dtype=np.int64)
        self.scored = np.zeros(count, dtype=np.int64)
        self.tiles = np.zeros(count, dtype=np.int64)
        self.known_tiles = np.zeros(count, dtype=np.int64)
        self._side = task.machine.chip.lanes
        self.rows = self._made(np.arange(count))
        self.pairs = self.rows.copy()
        passes = statements.flow.passes
        self._tokens = np.array([p.batch * p.query_tokens for p in passes])
        self._products()
        self._attention()
        self._vectors()
        self._lookups()

    def _slots(self, operations: Ints) -> tuple[Ints, Ints]:
        """Return the experts that the schedule has room for, and the pairs of them."""
        tokens = self._tokens[self._statements.flow.operations.number[operations]]
        return expert_slots(self._task, self._statements.expert_groups, tokens)

    def _products(self) -> None:
        """Set the amounts of products with weights."""
        statements = self._statements
        for function in (Function.PRODUCT, Function.ROUTER):
            own = statements.of(function)
            if not len(own):
                continue
            experts = statements.numbers(own, lambda n: experts_of(statements, n))
            # All experts' rows of the router are multiplied.
            experts[statements.flow.operations.function[own] == Function.ROUTER] = 1
            held = np.where(experts > 1, experts // statements.expert_groups, 1)
            slots = np.where(experts > 1, self._slots(own)[0], 1)
            self.pairs[own] = np.where(experts > 1, self._slots(own)[1], self.rows[own])
            # Elements of matrices, their bits, and the bytes of their scales.
            chosen, beside = np.zeros((2, 3, len(own)), dtype=np.int64)
            parts = MatrixParts(self._side, statements.chained[own], slots)
            others = MatrixParts(self._side, statements.chained[own], slots)
            lefts = statements.numbers(own, self._lefts)
            added = np.zeros(len(own), dtype=np.int64)
            for place in range(1, statements.most_inputs(own)):
                # The matrix of a shared expert lies behind those of the chosen ones.
                for into, sums, wanted in (
                    (parts, chosen, (lefts == 1) & (place > 0) | (place == lefts)),
                    (others, beside, (lefts > 1) & (place > lefts)),
                ):
                    # Weights and bias of a norm are rows that a router multiplies.
                    affine = statements.has_input(own, place, _OF_NORM)
                    added += affine & wanted
                    here = statements.has_input(own, place) & wanted & ~affine
                    has = np.flatnonzero(here)
                    rows = statements.reads(own[has], statements.input(place))
                    stored = stored_inputs(statements, self._task, own[has], place)
                    np.maximum.at(self.widest_bits, own[has], stored.element_bits)
                    amounts = stored.at(rows.place).amounts(rows)
                    for column, amount in zip(sums, amounts, strict=True):
                        np.add.at(column, has[rows.place], amount)
                    wide = np.zeros(len(own), dtype=np.int64)
                    np.add.at(wide, has[rows.place], rows.last - rows.first)
                    into.add(has[rows.place], rows, wide // held)
            # Gates meet what they multiply on the same lanes.
            meets = results_meet(statements, own)
            self.tiles[own] = slots * parts.tiles(meets) + others.tiles(meets)
            total = chosen // held * slots + beside
            self.weights[own], self.stored_bits[own], self.scale_bytes[own] = total
            self.macs[own] = self.weights[own] * (self._made(own) + added)

    def _lefts(self, name: str) -> int:
        """Return the left operands of a product, or of a router."""
        return getattr(self._statements.graph[name].attributes, "lefts", 1)

    def _padded(self, lengths: Ints) -> Ints:
        """Return the tiles that cover lengths of rows or columns."""
        return -(-lengths // self._side)

    def _made(self, operations: Ints) -> Ints:
        """Return the rows of what operations make."""
        writes = self._statements.flow.writes
        first = np.searchsorted(writes.owner, operations)
        return self._sizes.rows[writes.value[first]]

    def _attention(self) -> None:
        """Set the amounts of products with keys and values, and of softmax."""
        statements, task = self._statements, self._task
        if (sizes := latent_sizes(statements)) is not None:
            for found in latent_amounts(statements, sizes, self.rows, task):
                own = found.operations
                self.stored_bits[own] = found.weights * found.element_bits
                self.widest_bits[own] = found.element_bits
                self.scale_bytes[own] = found.scale_bytes
                self.weights[own] = found.weights
                self.macs[own] = found.weights * found.rows
                self.tiles[own], self.known_tiles[own] = found.tiles, found.known_tiles
                self.scored[own] = found.scored
                self.elements[own] = found.scored
            return
        model = task.model
        scores = statements.of(Function.SCORES)
        if not len(scores):
            return
        group = model.attention_heads // model.kv_heads
        heads = statements.written(scores, statements.output())
        entry = statements.flow.operations.operator[scores].astype(np.int64)
        members = parts_of(entry, heads.first, heads.last, heads.part_last)
        number = statements.flow.operations.number[scores]
        windows = statements.numbers(scores, self._window)
        cached = np.zeros(len(scores), dtype=np.int64)
        scored = np.zeros(len(scores), dtype=np.int64)
        kinds = np.unique(np.array([number, windows, members]), axis=1)
        for one, window, shared in kinds.T.tolist():
            rows = (number == one) & (windows == window) & (members == shared)
            cached[rows], scored[rows] = attended_positions(
                statements.flow.passes[one],
                window,
                shared,
                encoder=model.structure.encoder,
            )
        batch = np.array([p.batch for p in statements.flow.passes])[number]
        pairs = (heads.last - heads.first) * scored * batch
        # A key/value head of which one query head is scored is multiplied whole.
        matrices = -(-(heads.last - heads.first) // group) * batch
        weights = matrices * model.head_dim * cached
        deep = -(-model.head_dim // self._side)
        queries = np.array([p.query_tokens for p in statements.flow.passes])[number]
        # An encoder's keys and values are all new.
        older = np.maximum(cached - queries, 0) * (not model.structure.encoder)
        rows = group * queries
        for function in (Function.SCORES, Function.ATTEND):
            own = statements.of(function)
            at = statements.like(own, scores)
            self.weights[own] = weights[at]
            self.stored_bits[own] = weights[at] * task.cached_format.bits
            self.widest_bits[own] = task.cached_format.bits
            self.macs[own] = (weights * rows)[at]
            self.scored[own] = pairs[at]
            self.tiles[own] = (matrices * deep * self._padded(cached))[at]
            self.known_tiles[own] = (matrices * deep * (older // self._side))[at]
        own = statements.of(Function.SOFTMAX)
        self.elements[own] = pairs[statements.like(own, scores)]

    def _window(self, name: str) -> int:
        """Return the positions that a layer attends to at most, 0 without a limit."""
        attributes = self._statements.graph[name].attributes_as(AttentionAttributes)
        return attributes.window or 0

    def _vectors(self) -> None:
        """Set the elements of the other vector operators: those of what they make."""
        statements = self._statements
        flow = statements.flow
        kinds = [
            value.name.rpartition(".")[2].partition("@")[0] for value in flow.values
        ]
        counted = np.array([kind not in _BESIDE for kind in kinds])
        writes = flow.writes
        last, first = writes.last.astype(np.int64), writes.first.astype(np.int64)
        size = (last - first) * self._sizes.rows[writes.value] * counted[writes.value]
        # The parts of a sum have the same columns; they are one result.
        again = (
            (writes.owner[1:] == writes.owner[:-1])
            & (writes.value[1:] == writes.value[:-1])
            & (writes.first[1:] == writes.first[:-1])
        )
        size[1:][again] = 0
        total = np.zeros(len(flow.operations), dtype=np.int64)
        np.add.at(total, writes.owner, size)
        self.made = total
        function = flow.operations.function
        rest = ~np.isin(
            function,
            (
                Function.PRODUCT,
                Function.ROUTER,
                *LATENT_PRODUCTS,
                Function.SOFTMAX,
                Function.LOOKUP,
            ),
        )
        self.elements[rest] = total[rest]
        self._exceptions()

    def _exceptions(self) -> None:
        """Set the elements of operators that take others than they make."""
        statements = self._statements
        for own, elements in latent_elements(statements):
            self.elements[own] = elements * self._made(own)
        for own, elements in linear_elements(statements):
            self.elements[own] = elements
        # Values pass a rotation as they are.
        own = statements.of(Function.POSITION)
        values = statements.written(own, beside("values"))
        rows = self._made(own)
        self.elements[own] -= (values.last - values.first) * rows
        for function in (Function.CANDIDATE, Function.SAMPLE):
            own = statements.of(function)
            source = statements.read(own, statements.input(0))
            rows = self._made(own)
            self.elements[own] = (source.last - source.first) * rows * source.found
        # Sums of slices pass an activation side by side.
        sums, lasts = summed_in_passing(statements)
        meet = statements.flow.operations.function[lasts] == Function.ACTIVATE
        self.elements[sums[meet]] = 0
        own = statements.of(Function.ACTIVATE)
        own = own[statements.numbers(own, lambda n: experts_of(statements, n)) > 1]
        if len(own):
            made = statements.written(own, statements.output())
            self.elements[own] = (made.last - made.first) * self._slots(own)[1]

    def _lookups(self) -> None:
        """Set the bytes of rows that lookups read."""
        own = self._statements.of(Function.LOOKUP)
        stored = stored_inputs(self._statements, self._task, own, 1)
        elements = looked_up_elements(self._statements, own, self._tokens)
        self.read_bytes[own] = stored.least_bytes(elements)
