"""Work rules: instructions do as much work as the regions of their operations take.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.dataflow import Function
from chip.operator_work import ProductWork
from compiler.dataflow_rules.experts.amounts import choosing_reductions
from compiler.dataflow_rules.instructions import (
    instruction_works,
    of_instructions,
    read_again,
    summed_in_passing,
)
from compiler.dataflow_rules.latent.amounts import LATENT_PRODUCTS
from compiler.dataflow_rules.linear.amounts import linear_needs
from compiler.dataflow_rules.operation_amounts import OperationAmounts
from compiler.dataflow_rules.regions import Flags
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.sum_functions import terms_of_sums
from compiler.dataflow_rules.weights.stored_weights import product_modes
from compiler.hazard_rules.rounds import tiles_at_once, tiles_of
from sharding.weights.task import Task
from specs.arrays import Ints

_ATTENTION = (Function.SCORES, Function.ATTEND)
_PRODUCTS = (Function.PRODUCT, Function.ROUTER, *LATENT_PRODUCTS)
# Values that a product reads and does not multiply as its left operand.
_NOT_MULTIPLIED = ("choice", "keys", "values", "latent", "expanded")
_SHARED = "shared_activated"
# The largest number must be known before the next pass subtracts or counts from it.
_PASSES = {
    Function.SOFTMAX: 3,
    Function.LATENT_NORM: 2,
    Function.UNIT_NORM: 2,
    Function.GATED_NORM: 2,
    Function.CANDIDATE: 2,
    Function.SAMPLE: 2,
    Function.CHOOSE: 2,
}
# Vectors read at once: an element, its pair, sine and cosine; an element and a weight.
_OPERANDS = {
    Function.POSITION: 4,
    Function.BIAS: 2,
    Function.HEAD_NORM: 2,
    Function.LATENT_NORM: 2,
    Function.NORM_WEIGH: 2,
    Function.NORM_ADD: 3,
    Function.OUTPUT_GATE: 2,
    Function.DECAY: 3,
    # A state, and the correction of its columns.
    Function.DELTA_RULE: 2,
    Function.GATED_NORM: 3,
}
# Sums or largest elements over the lanes, one after the other. Of a choice of experts,
# one for each of them.
_REDUCTIONS = {
    Function.SOFTMAX: 2,
    Function.NORM_WEIGH: 1,
    Function.HEAD_NORM: 1,
    Function.UNIT_NORM: 1,
    Function.GATED_NORM: 1,
    Function.CANDIDATE: 1,
    Function.SAMPLE: 1,
}


def check_work(statements: Statements, amounts: OperationAmounts, task: Task) -> int:
    """Work dataflow rule: refuse less work than an operation needs."""
    table = statements.flow.operations
    operations = np.arange(len(table))
    works = instruction_works(statements)
    is_product = np.isin(table.function, _PRODUCTS)
    is_lookup = table.function == Function.LOOKUP
    statements.must(
        (works.is_product == is_product) & (works.is_lookup == is_lookup),
        operations,
        "is work of another kind",
    )
    has = works.numbers
    weights, macs = (
        of_instructions(statements, column)
        for column in (amounts.weights, amounts.macs)
    )
    statements.must(
        ~is_product | ((has["weights"] == weights) & (has["macs"] == macs)),
        operations,
        "multiplies more or less than its regions",
    )
    side = task.machine.chip.lanes
    tiles = np.array(
        [
            tiles_of(kind.work.shape, side) if isinstance(kind.work, ProductWork) else 0
            for kind in statements.program.kinds
        ],
        dtype=np.int64,
    )[works.kind]
    statements.must(
        ~is_product | (tiles >= of_instructions(statements, amounts.tiles)),
        operations,
        "takes fewer tiles than its matrices have",
    )
    is_vector = ~is_product & ~is_lookup
    statements.must(
        ~is_vector | (has["elements"] >= amounts.elements),
        operations,
        "takes fewer elements than its regions have",
    )
    _check_products(statements, amounts, task, has)
    _check_vectors(statements, amounts, task, has)
    return statements.must(
        ~is_lookup | (has["stored_bytes"] >= amounts.read_bytes),
        operations,
        "looks up less than its regions",
    )


def _check_products(
    statements: Statements, amounts: OperationAmounts, task: Task, has: dict[str, Ints]
) -> None:
    """Refuse products that move fewer bytes than their matrix and vectors have.

    The newest keys and values, and experts that are only just chosen, cannot be loaded
    ahead.
    """
    flow = statements.flow
    function = flow.operations.function
    own = np.flatnonzero(np.isin(function, _PRODUCTS))
    attends = np.isin(function[own], _ATTENTION)
    formats = task.machine.formats
    mode = product_modes(task, amounts.widest_bits[own])
    has = {name: column[own] for name, column in has.items()}
    must = statements.must
    stored, scales = (
        of_instructions(statements, column)[own]
        for column in (amounts.stored_bits, amounts.scale_bytes)
    )
    must(
        (has["stored_bytes"] >= -(-stored // 8) + scales)
        & (has["operand_bytes"] == mode),
        own,
        "reads fewer bytes than its matrix has, or multiplies in another mode",
    )
    wide = formats.activations.bits
    width, beside, chosen = _activations(statements)
    down = statements.numbers(own, lambda name: name.endswith(".down")) == 1
    entering = np.where(
        # Latents are what keys are made of, and elsewhere the matrix.
        np.isin(function[own], (Function.ATTEND, Function.EXPAND)),
        amounts.scored[own],
        width[own] * np.where(down, amounts.pairs[own], amounts.rows[own])
        + beside[own] * amounts.rows[own],
    )
    made = amounts.made[own] // amounts.rows[own]
    leaving = np.where(
        function[own] == Function.SCORES,
        amounts.scored[own],
        made * np.where(down, amounts.rows[own], amounts.pairs[own]),
    )
    moved = np.zeros((2, len(function)), dtype=np.int64)
    moved[:, own] = entering, leaving
    entering, leaving = (of_instructions(statements, row)[own] for row in moved)
    must(
        (has["input_bytes"] >= -(-entering * wide // 8))
        & (has["written_bytes"] >= -(-leaving * wide // 8)),
        own,
        "moves fewer bytes than its vectors have",
    )
    # Where every expert is computed, no address waits for a choice.
    addressed = task.routing.value != "all"
    at_once = np.array([0, *(tiles_at_once(task.machine.chip, m) for m in (1, 2))])
    most = np.where(
        attends, amounts.known_tiles[own] // at_once[mode], has["ready_rounds"]
    )
    must(
        has["ready_rounds"] <= np.where(chosen[own] & addressed, 0, most),
        own,
        "loads ahead what is not known yet",
    )


def _activations(statements: Statements) -> tuple[Ints, Ints, Flags]:
    """Return the columns that operations read of vectors, and if experts are chosen.

    Those of a shared expert, which all rows use, are counted apart.
    """
    flow = statements.flow
    last = [value.name.rpartition(".")[2] for value in flow.values]
    vector = np.array(
        [
            value.number >= 0 and own not in _NOT_MULTIPLIED
            for value, own in zip(flow.values, last, strict=True)
        ],
        dtype=bool,
    )
    reads = flow.reads
    width = np.zeros(len(flow.operations), dtype=np.int64)
    size = (reads.last - reads.first) * vector[reads.value]
    size[read_again(statements)] = 0
    apart = np.array([own == _SHARED for own in last], dtype=bool)[reads.value]
    beside = np.zeros(len(flow.operations), dtype=np.int64)
    np.add.at(width, reads.owner, (size * ~apart).astype(np.int64))
    np.add.at(beside, reads.owner, (size * apart).astype(np.int64))
    chosen = np.zeros(len(flow.operations), dtype=bool)
    choice = np.array([own == "choice" for own in last], dtype=bool)
    chosen[reads.owner[choice[reads.value]]] = True
    return width, beside, chosen


def _check_vectors(
    statements: Statements, amounts: OperationAmounts, task: Task, has: dict[str, Ints]
) -> None:
    """Refuse vector operators of fewer bits, passes or operands than they need."""
    function = statements.flow.operations.function
    own = np.flatnonzero(~np.isin(function, (*_PRODUCTS, Function.LOOKUP)))
    has = {name: column[own] for name, column in has.items()}
    passes = np.array([_PASSES.get(each, 1) for each in Function])[function[own]]
    operands = np.array([_OPERANDS.get(each, 1) for each in Function])[function[own]]
    taps, turns, bits = linear_needs(statements)
    statements.must(
        has["element_bits"]
        >= np.maximum(task.machine.formats.activations.bits, bits[own]),
        own,
        "takes elements of fewer bits",
    )
    passes, operands = np.maximum(passes, turns[own]), np.maximum(operands, taps[own])
    statements.must(
        has["passes"] >= passes, own, "takes fewer passes over what it reads"
    )
    reductions = np.array([_REDUCTIONS.get(each, 0) for each in Function])
    reductions[Function.CHOOSE] = choosing_reductions(task)
    if task.model.latent is not None:
        reductions[Function.LATENT_NORM] = 1 + bool(task.model.latent.query_rank)
    statements.must(
        has["reductions"] >= reductions[function[own]],
        own,
        "reduces fewer vectors over the lanes",
    )
    statements.must(
        # Shorter vectors are reduced in fewer steps.
        (has["vectors"] >= 1) & (has["vectors"] <= np.maximum(amounts.rows[own], 1)),
        own,
        "has more vectors than rows, or none",
    )
    terms = terms_of_sums(statements, amounts.rows, task.model.experts_per_token)
    sums, lasts = summed_in_passing(statements)
    slices = -(-terms[sums] // np.maximum(amounts.made[sums], 1))
    activates = statements.flow.operations.function[lasts] == Function.ACTIVATE
    # What is activated, or rotated with its partner, is summed on the way.
    terms[lasts] += np.where(activates, terms[sums] - amounts.made[sums], 0)
    partners = np.zeros(len(terms), dtype=np.int64)
    partners[lasts] = np.where(activates, 0, 2 * (slices - 1))
    operands, terms = operands + partners[own], terms[own]
    statements.must(
        (has["operands"] >= operands)
        & (has["operands"] * amounts.made[own] >= terms)
        & (has["operations"] >= 1),
        own,
        "reads fewer vectors at once than it has terms",
    )
    statements.must(
        (has["operations"] + 1) * amounts.made[own] >= terms,
        own,
        "does fewer operations than its terms take",
    )
    statements.must(
        (function[own] != Function.POSITION) | (has["reorders"] == 1),
        own,
        "does not exchange the halves of the heads that it rotates",
    )
