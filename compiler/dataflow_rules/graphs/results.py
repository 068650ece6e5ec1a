"""Result rules of graphs: states, outputs, weights and memory are where they must be.

For `compiler.verify`; independent of the code that makes programs.
"""

import re
from collections import defaultdict

import numpy as np

from compiler.dataflow_rules.coverage import HeldRegions
from compiler.dataflow_rules.graphs.stated import GraphFacts
from compiler.dataflow_rules.regions import weight_of
from compiler.hazard_rules.structure import violation
from specs.arrays import Ints
from specs.graph import Matmul, Role, Vector

# Marks the copies of weights that several chips have.
_COPY = re.compile(r" \(copy \d+\)$")


def states_there(facts: GraphFacts) -> HeldRegions:
    """Return what a graph's program finds when an iteration begins, for dataflow rules.

    Inputs are on every chip, as are states that nothing makes. A state that is made is
    where the iteration before has left it: where this one leaves it.
    """
    flow = facts.statements.flow
    number = {value.name: place for place, value in enumerate(flow.values)}
    size, chips = len(flow.values), facts.plan.chips
    rows: list[tuple[int, int, int]] = []
    for tensor in facts.workload.tensors:
        if tensor.role not in (Role.INPUT, Role.STATE) or tensor.name not in number:
            continue
        value = number[tensor.name]
        if tensor.name not in facts.states:
            rows += [(chip * size + value, 0, tensor.elements) for chip in chips]
            continue
        chip, first, last = facts.left(facts.states[tensor.name])
        keys = (chip * size + value).tolist()
        rows += list(zip(keys, first.tolist(), last.tolist(), strict=True))
    key, first, last = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    none = 0 * key
    return HeldRegions(key, none - 1, first, last, none, none + 1)


def check_graph_results(facts: GraphFacts) -> int:
    """Refuse a program that leaves a graph's result elsewhere than it must be.

    A gathered output is on the first chip of the stage that makes it, and a result that
    is not read in its place alone is on every chip of the stages that read it. Of
    another output each chip has what it has made, so that nothing is to be shown but
    that it is made.
    """
    checked = 0
    for made in facts.graph.values():
        for name in made.outputs:
            tensor = facts.tensors[name]
            own = facts.stage_chips(facts.places[made.name])
            wanted = set(own[:1].tolist()) if tensor.gathered else set()
            if _is_read_elsewhere(facts, made.name, tensor.name):
                readers = (
                    place
                    for place, each in enumerate(facts.workload.operators)
                    if tensor.name in each.reads
                )
                for place in readers:
                    wanted |= set(facts.stage_chips(place).tolist())
            if wanted:
                _check_whole(facts, np.array(sorted(wanted), dtype=np.int64), name)
            checked += len(wanted)
    return checked + len(facts.states)


def _is_read_elsewhere(facts: GraphFacts, maker: str, name: str) -> bool:
    """Return whether a result is read by others than chips that have made it.

    Operators that are chained to products with weights read what goes with the columns
    of a chip; if columns were made there, nothing needs to be sent.
    """
    place = facts.places[maker]
    operators = facts.workload.operators
    product = operators[place]
    if isinstance(product, Vector) and product.chained:
        product = operators[place - 1]
    by_columns = (
        isinstance(product, Matmul)
        and facts.tensors[product.right].role is Role.WEIGHTS
    )
    readers = [each for each in operators if name in each.reads]
    passing = all(isinstance(each, Vector) and each.chained for each in readers)
    return bool(readers) and not (by_columns and passing)


def _check_whole(facts: GraphFacts, chips: Ints, name: str) -> None:
    """Refuse a value of which one of some chips does not have each element once."""
    chip, first, last = facts.left(name)
    elements = facts.tensors[name].elements
    total = np.zeros(facts.statements.program.chips, dtype=np.uint64)
    np.add.at(total, chip, weight_of(first, last))
    lacks = total[chips] != weight_of(np.array([0]), np.array([elements]))[0]
    if lacks.any():
        raise violation(
            "the result does not arrive",
            f"chip {int(chips[np.argmax(lacks)])} does not have each of the "
            f"{elements:,} elements of {name} once",
        )


def check_graph_residency(facts: GraphFacts) -> int:
    """Residency dataflow rule: refuse a graph's reads of weights not held."""
    table = facts.plan.slice_table
    held: defaultdict[tuple[int, str], list[tuple[int, int, int, int]]]
    held = defaultdict(list)
    names = [_COPY.sub("", name) for name in table.names]
    edges = ("chip", "tensor", "row_start", "row_end", "column_start", "column_end")
    columns = (table.columns[name].tolist() for name in edges)
    for chip, tensor, low, high, left, right in zip(*columns, strict=True):
        held[chip, names[tensor]].append((low, high, left, right))
    checked = 0
    for operation in facts.operations:
        for name, regions in operation.reads.items():
            if name not in facts.matrices:
                continue
            for region in regions:
                checked += 1
                if not any(
                    low <= region.first
                    and region.last <= high
                    and left <= region.part_first
                    and region.part_last <= right
                    for low, high, left, right in held[operation.chip, name]
                ):
                    raise facts.refused(
                        operation,
                        f"reads rows {region.first} to {region.last - 1} of {name}, "
                        f"which the plan does not give it",
                    )
    return checked


def check_one_iteration(facts: GraphFacts) -> int:
    """Claim dataflow rule: refuse a program in which iterations of a graph overlap."""
    program = facts.statements.program
    if program.sequences != 1 or program.interval_cycles:
        raise violation(
            "an iteration begins before the last has ended",
            f"{program.sequences} run at once, {program.interval_cycles} cycles apart, "
            f"and each needs the states of the one before",
        )
    return 1


def check_graph_memory(facts: GraphFacts) -> int:
    """Claim dataflow rule: refuse less memory than a graph needs."""
    program, plan = facts.statements.program, facts.plan
    table, chips = plan.slice_table.columns, plan.chips
    weights = np.bincount(
        table["chip"],
        weights=table["bytes"].astype(np.float64),
        minlength=program.chips,
    ).astype(np.int64)[chips]
    states = np.zeros(program.chips, dtype=np.int64)
    for name, after in facts.states.items():
        chip, first, last = facts.left(after)
        bits = facts.bits(facts.tensors[name])
        np.add.at(states, chip, -(-(last - first) * bits // 8))
    # Of each kind of memory, what the plan gives to the chips of all stages.
    kinds = zip(*(stage.memory for stage in plan.stages), strict=True)
    held, kept, alive, text = (np.concatenate(parts) for parts in kinds)
    resident = program.resident
    for what, stated, needed in (
        ("weights", resident.weights, np.maximum(weights, held)),
        ("states", resident.kv_cache, np.maximum(states[chips], kept)),
        ("activations", resident.activations, alive),
        ("program text", resident.program, text),
    ):
        short = np.flatnonzero(stated[chips] < needed)
        if len(short):
            at = int(chips[short[0]])
            raise violation(
                "memory is stated as less than it is",
                f"chip {at} keeps {int(needed[short[0]]):,} bytes of {what}, and "
                f"{int(stated[at]):,} are stated",
            )
    return 4 * len(chips)
