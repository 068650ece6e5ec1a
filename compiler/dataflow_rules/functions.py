"""Function rules: what an operation makes follows, by the graph, from what it reads.

For `compiler.verify`; independent of the code that makes programs. Each rule is local:
if the regions that an operation reads have the values that the graph defines, so have
the regions that it makes. That the regions are there is the rule of coverage.
"""

from collections.abc import Callable

import numpy as np

from chip.dataflow import Function
from compiler.dataflow_rules.attention_functions import ATTENTION_RULES
from compiler.dataflow_rules.experts.functions import EXPERT_RULES
from compiler.dataflow_rules.head.functions import HEAD_RULES
from compiler.dataflow_rules.latent.functions import LATENT_RULES, latent_sizes
from compiler.dataflow_rules.linear.functions import LINEAR_RULES
from compiler.dataflow_rules.product_functions import PRODUCT_RULES, check_sums
from compiler.dataflow_rules.regions import either
from compiler.dataflow_rules.statements import NameOf, Statements, beside
from compiler.dataflow_rules.sum_functions import SUM_RULES
from compiler.hazard_rules.structure import violation
from specs.arrays import Ints
from workloads.operators import Function as GraphFunction

# Operations whose function the graph names differently, or of which it has a whole.
_PART_OF = {
    Function.LOOKUP: GraphFunction.EMBED,
    Function.SUM_SCALE: GraphFunction.NORM_SCALE,
    Function.BIAS: GraphFunction.POSITION,
    Function.ATTEND: GraphFunction.VALUES,
    Function.COMBINE: GraphFunction.VALUES,
    Function.ABSORB: GraphFunction.SCORES,
    Function.EXPAND: GraphFunction.SCORES,
    Function.EXPAND_VALUES: GraphFunction.VALUES,
}


def check_functions(statements: Statements) -> int:
    """Refuse an operation that makes what its operator does not (function rule)."""
    _check_names(statements)
    checked = 0
    rules = OTHER_RULES | ATTENTION_RULES | PRODUCT_RULES | EXPERT_RULES | SUM_RULES
    rules |= HEAD_RULES | LINEAR_RULES
    if latent_sizes(statements) is not None:
        rules |= LATENT_RULES
    for function, rule in rules.items():
        operations = statements.of(function)
        if len(operations):
            checked += rule(statements, operations)
    return checked + statements.check_all_used()


def _check_names(statements: Statements) -> None:
    """Refuse operations of no operator of the graph, or of another function."""
    table = statements.flow.operations
    pairs = np.unique(np.array([table.name, table.function], dtype=np.int64), axis=1)
    for name, number in pairs.T.tolist():
        text, function = statements.flow.names[name], Function(number)
        if function is Function.PARTIAL_SUM:
            continue
        operator = statements.graph.get(text)
        wanted = _PART_OF[function].name if function in _PART_OF else function.name
        if operator is None or operator.function.name != wanted:
            known = operator.function.name if operator else "not in the graph"
            raise violation(
                "the program computes something else",
                f"{function.name} is stated as a part of {text}, which is {known}",
            )


def _look_up(statements: Statements, operations: Ints) -> int:
    """Check lookups, of which the first part alone has rows of other tables added.

    The later parts go on with the sum that has them.
    """
    # Where there are no other tables, the lookup itself makes the sum.
    added = "embedding.tables" in statements.graph
    total = beside("output") if added else statements.output()
    later = statements.read(operations, lambda name: f"{total(name)}@").found
    for own, result in (
        (operations[~later], statements.output()),
        (operations[later], total),
    ):
        if len(own):
            _look_up_range(statements, own, result, total)
    return len(operations)


def _look_up_range(
    statements: Statements, operations: Ints, result: NameOf, total: NameOf
) -> None:
    """Check rows of the table in a range, added to those of the ranges before."""
    tokens = statements.read(operations, statements.input(0))
    table = statements.read(operations, statements.input(1))
    before = statements.read(operations, lambda name: f"{total(name)}@")
    made, complete = statements.made_so_far(operations, result)
    rows = statements.rows(operations, statements.input(1))
    must = statements.must
    must(tokens.found & table.found, operations, "needs the tokens and their table")
    must(
        (table.part_first == made.first) & (table.part_last == made.last),
        operations,
        "makes other columns than it reads of its table",
    )
    begin = np.where(before.found, before.part_last, 0)
    must(begin == table.first, operations, "leaves out rows of the table")
    must(
        ~before.found | (before.columns_of(made) & (before.part_first == 0)),
        operations,
        "adds to other columns than it makes",
    )
    end = np.where(complete, rows, made.part_last)
    must(
        (made.part_first == 0) & (table.last == end),
        operations,
        "states other rows of the table than it reads",
    )


def _add_tables(statements: Statements, operations: Ints) -> int:
    """Check the rows found so far, with those of the other tables."""
    made, complete = statements.made_so_far(operations, statements.output())
    whole = statements.read(operations, beside("rows"))
    part = statements.read(operations, beside("rows@"))
    must = statements.must
    must(
        np.where(complete, whole.columns_of(made), part.columns_of(made)),
        operations,
        "adds rows of other tables to other columns than it makes",
    )
    must(
        complete | (part.part_last == made.part_last),
        operations,
        "states other rows of the table than were found",
    )
    tables = len(statements.graph["embedding.tables"].inputs)
    for place in range(1, tables):
        table = statements.read(operations, statements.input(place))
        rows = statements.rows(operations, statements.input(place))
        must(
            (table.first == 0)
            & (table.last == rows)
            & (table.part_first == made.first)
            & (table.part_last == made.last),
            operations,
            "does not read its columns of every table",
        )
    return len(operations)


def _weigh(statements: Statements, operations: Ints) -> int:
    """Check the input times the norm's weights, and the sums of the same columns."""
    source = statements.read(operations, statements.input(0))
    weight = statements.read(operations, statements.input(1))
    made = statements.written(operations, statements.output(0))
    sums = statements.written(operations, statements.output(1))
    first = statements.written(operations, beside("first_weighed"))
    count = statements.columns(operations, statements.output(1))
    statements.must(
        source.whole & source.columns_of(made) & weight.columns_of(made),
        operations,
        "weighs other columns than it makes",
    )
    statements.must(
        ~first.found | first.columns_of(made),
        operations,
        "makes other columns of first positions than of all",
    )
    return statements.must(
        (sums.first == 0)
        & (sums.last == count)
        & (sums.part_first == made.first)
        & (sums.part_last == made.last),
        operations,
        "sums other columns than it weighs",
    )


def _scale(statements: Statements, operations: Ints) -> int:
    """Check weighed columns times the norm's factor, which needs all sums."""
    graph = statements.graph
    first = statements.read(operations, beside("first_weighed"))
    source = either(statements.read(operations, statements.input(0)), first)
    states = statements.written(operations, beside("states"))
    made = either(statements.written(operations, statements.output()), states)
    # What an encoder pools is of first positions, its states are of all.
    pools = statements.numbers(operations, lambda n: beside("pool")(n) in graph) == 1
    statements.must(
        first.found == (pools & ~states.found),
        operations,
        "scales other positions than it makes",
    )
    statements.must(
        source.columns_of(made) & made.whole,
        operations,
        "scales other columns than it makes",
    )
    check_sums(statements, operations)
    for place in range(2, statements.most_inputs(operations)):
        weights = statements.read(operations, statements.input(place))
        statements.must(
            weights.columns_of(made), operations, "lacks weights or biases of the norm"
        )
    return len(operations)


def _normed_sum(statements: Statements, operations: Ints) -> int:
    """Check a block's normed result, added to the residual."""
    made = statements.written(operations, statements.output())
    for place in (0, 2, 3):
        added = statements.read(operations, statements.input(place))
        statements.must(
            added.whole & added.columns_of(made),
            operations,
            "adds other columns than it makes",
        )
    sums = statements.read(operations, statements.input(1))
    count = statements.columns(operations, statements.input(1))
    hidden = statements.columns(operations, statements.input(0))
    return statements.must(
        (sums.first == 0)
        & (sums.last == count)
        & (sums.part_first == 0)
        & (sums.part_last == hidden),
        operations,
        "takes a norm's factor before the sums of all its columns are there",
    )


OTHER_RULES: dict[Function, Callable[[Statements, Ints], int]] = {
    Function.LOOKUP: _look_up,
    Function.ADD_TABLES: _add_tables,
    Function.NORM_WEIGH: _weigh,
    Function.NORM_SCALE: _scale,
    Function.NORM_ADD: _normed_sum,
}
