"""Instructions of a graph's program do as much work as their operations take."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from chip.operator_work import Shape
from chip.program import Opcode
from compiler.dataflow_rules.graphs.work import check_graph_work
from experiments.sabotage.program_edits import with_rows
from specs.errors import VerificationError

PRODUCT, TOTAL, VECTOR = Function.MATRIX_PRODUCT, Function.TOTAL, Function.VECTOR
PAIRS, LOOKUP = Function.PAIRED_PRODUCT, Function.LOOKUP_ROWS

OTHER_KIND = "is work of another kind"
MULTIPLIES = "multiplies more or less than its regions"
MOVES = "moves fewer bytes than its vectors have"
INSTALLS = "installs other matrices than those it reads"
FEW = "reads fewer vectors at once than it has terms"
LESS = "takes fewer elements than its regions have"


def first_of(program: Any, function: Function) -> int:
    """Return the first operation of a function."""
    return int(np.flatnonzero(program.flow.operations.function == function)[0])


@pytest.mark.parametrize(
    "program",
    ["lstm", "pairs", "experts", "rows", "sum", "unknown", "half bytes", "moved"],
)
def test_a_program_does_the_work_of_its_regions(
    graph: Callable[[str], Any], program: str
) -> None:
    valid = graph(program)
    assert check_graph_work(valid.facts) == len(valid.flow.operations)


@pytest.mark.parametrize(
    ("program", "function", "fields", "why"),
    [
        # 16 rows and 32 columns of bytes, one vector of bytes, and sums of 16 bits.
        ("lstm", PRODUCT, {"shape": Shape((16,), (8, 8, 8, 7))}, MULTIPLIES),
        ("lstm", PRODUCT, {"rows": 2}, MULTIPLIES),
        # Each of four gates begins at the first lane.
        ("lstm", PRODUCT, {"shape": Shape((32,), (4, 4, 4, 4))}, INSTALLS),
        ("lstm", PRODUCT, {"shape": Shape((16,), (32,))}, INSTALLS),
        ("lstm", PRODUCT, {"shape": Shape((16,), (4, 4, 4, 4), 2)}, INSTALLS),
        ("lstm", PRODUCT, {"stored_bytes": 511}, "reads fewer bytes than its matrix"),
        ("lstm", PRODUCT, {"operand_bytes": 2}, "multiplies in another mode"),
        ("rows", PRODUCT, {"operand_bytes": 1}, "multiplies in another mode"),
        ("lstm", PRODUCT, {"input_bytes": 15}, MOVES),
        ("lstm", PRODUCT, {"output_bytes": 63}, MOVES),
        # Which matrices are multiplied is known when they are chosen.
        ("experts", PRODUCT, {"ready_rounds": 1}, "loads ahead what is not known yet"),
        ("experts", PRODUCT, {"shape": Shape((4,), (3,), 3)}, MULTIPLIES),
        ("pairs", PAIRS, {"shape": Shape((8,), (4,))}, MULTIPLIES),
        ("pairs", LOOKUP, {"stored_bytes": 23}, "looks up less than its regions"),
        # Two partial sums are two vectors, and one addition.
        ("lstm", TOTAL, {"elements": 15}, LESS),
        ("lstm", TOTAL, {"operands": 1}, FEW),
        ("lstm", TOTAL, {"passes": 0}, FEW),
        ("gathered", TOTAL, {"element_bits": 8}, LESS),
        ("lstm", VECTOR, {"elements": 3}, LESS),
        ("lstm", VECTOR, {"element_bits": 8}, "takes elements of fewer bits"),
        ("lstm", VECTOR, {"operands": 1}, FEW),
        ("lstm", VECTOR, {"operations": 10}, "does fewer operations than its function"),
        ("rows", VECTOR, {"passes": 1}, "takes fewer passes over what it reads"),
        # The squares of a norm are added up.
        ("rows", VECTOR, {"reductions": 0}, "reduces fewer vectors over the lanes"),
        # Four windows of three places each are moved, not the four places.
        ("moved", VECTOR, {"reorders": False}, "moves elements without the unit"),
        ("moved", VECTOR, {"elements": 11}, LESS),
        ("rows", VECTOR, {"vectors": 0}, "has more vectors than rows, or none"),
        ("rows", VECTOR, {"vectors": 3}, "has more vectors than rows, or none"),
    ],
)
def test_an_instruction_of_less_work_is_refused(
    graph: Callable[[str], Any],
    program: str,
    function: Function,
    fields: dict[str, Any],
    why: str,
) -> None:
    valid = graph(program)
    own = first_of(valid, function)
    name = valid.flow.names[valid.flow.operations.name[own]]
    where = rf"{name} on chip 0 \(cycle \d+\), which makes columns 0 to \d+ of .*: "
    with pytest.raises(VerificationError, match=f"{where}{why}"):
        check_graph_work(valid.working(own, **fields).facts)


def test_a_sum_of_several_terms_takes_additions(graph: Callable[[str], Any]) -> None:
    valid = graph("three parts")
    own = first_of(valid, TOTAL)
    assert check_graph_work(valid.working(own, operations=2).facts) > 0
    with pytest.raises(VerificationError, match="operations than its terms take"):
        check_graph_work(valid.working(own, operations=1).facts)


def test_a_chain_does_the_work_of_its_function(graph: Callable[[str], Any]) -> None:
    valid = graph("sum")
    own = first_of(valid, PRODUCT)
    code, table = valid.program.instructions, valid.flow.operations
    row = np.flatnonzero(
        (code.operator == table.operator[own])
        & (code.chip == 0)
        & (code.opcode == Opcode.MATMUL)
    )[0]
    chain = valid.program.kinds[int(code.kind[row])].work.chain
    # It reads one more vector than the result, and adds it.
    assert (chain.elements, chain.operands, chain.operations) == (6, 1, 1)
    for fields, why in (
        ({"elements": 5}, LESS),
        ({"operands": 0}, FEW),
        ({"operations": 0}, "does fewer operations than its function takes"),
    ):
        less = valid.working(own, chain=chain._replace(**fields))
        with pytest.raises(VerificationError, match=f"join on chip 0 .*: {why}"):
            check_graph_work(less.facts)
    # Two rows of three columns each leave the matrix unit, as two vectors.
    assert chain.vectors == 2
    for vectors in (1, 3):
        other = valid.working(own, chain=chain._replace(vectors=vectors))
        with pytest.raises(
            VerificationError, match=r"up on chip 0 .*: chains other vec"
        ):
            check_graph_work(other.facts)
    with pytest.raises(VerificationError, match=f"join on chip 0 .*: {OTHER_KIND}"):
        check_graph_work(valid.working(own, chain=None).facts)


def test_a_product_chains_what_it_states(graph: Callable[[str], Any]) -> None:
    chain = graph("sum")
    code = chain.program.instructions
    kinds = [chain.program.kinds[kind].work for kind in code.kind[code.kind >= 0]]
    added = next(work.chain for work in kinds if getattr(work, "chain", None))
    valid = graph("lstm")
    # A row of four gates.
    added = added._replace(vectors=4)
    more = valid.working(first_of(valid, PRODUCT), chain=added)
    with pytest.raises(
        VerificationError, match=r"gates on .*: chains what it does not"
    ):
        check_graph_work(more.facts)


def test_work_is_of_the_kind_of_its_function(graph: Callable[[str], Any]) -> None:
    valid = graph("lstm")
    table, code = valid.flow.operations, valid.program.instructions
    owns = {each: first_of(valid, each) for each in (PRODUCT, TOTAL)}
    rows = {
        each: np.flatnonzero(
            (code.operator == table.operator[own])
            & (code.chip == table.chip[own])
            & (code.kind >= 0)
            & (code.opcode != Opcode.LOAD)
        )
        for each, own in owns.items()
    }
    for one, other in ((PRODUCT, TOTAL), (TOTAL, PRODUCT)):
        kind = code.kind[rows[other][0]]
        changed = with_rows(code, rows[one], kind=kind)
        swapped = valid.executing(changed)
        with pytest.raises(VerificationError, match=f"gates on chip 0 .*{OTHER_KIND}"):
            check_graph_work(swapped.facts)
    # The read of a product and its multiplication are of one work.
    kind = code.kind[rows[TOTAL][0]]
    half = valid.executing(with_rows(code, rows[PRODUCT][:1], kind=kind))
    with pytest.raises(VerificationError, match="other work than it multiplies"):
        check_graph_work(half.facts)
