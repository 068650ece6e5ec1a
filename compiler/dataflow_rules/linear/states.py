"""State rules: every state of linear attention is replaced once a token, where it is.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.dataflow import Function
from compiler.dataflow_rules.linear.functions import linear_sizes
from compiler.dataflow_rules.regions import weight_of
from compiler.dataflow_rules.statements import NameOf, Statements, beside
from compiler.hazard_rules.structure import violation
from sharding.planner.plan import ShardingPlan
from specs.arrays import Ints

_CONVOLVED = ("query", "key", "value")
_FP32_BITS = 32


def check_states(
    statements: Statements, plan: ShardingPlan, cached_layers: int | None = None
) -> int:
    """State dataflow rule: refuse a state that is not replaced just once in a pass.

    An operation that reads a state replaces it, so that a second one of the pass would
    find another state than that of the token before, and none would leave a stale one.
    In all passes the same chip has the same columns. Only the first `cached_layers`
    need be there, if given.
    """
    flow, model = statements.flow, plan.task.model
    layers = model.layers if cached_layers is None else cached_layers
    linear = sum(map(model.is_linear, range(layers)))
    needed = plan.strategy.data * len(flow.passes) * linear
    checked = 0
    for function, name in _states():
        own = statements.of(function)
        done = _check_once(statements, plan, own, name) if len(own) else 0
        if done != needed:
            raise violation(
                "the program computes something else",
                f"{done} layers replace their {name('.').removeprefix('.')} in all "
                f"passes and replicas, expected {needed}",
            )
        checked += len(own)
    return checked


def _states() -> tuple[tuple[Function, NameOf], ...]:
    """Return all kinds of states: which function replaces them, and their names."""
    tails = ((Function.CONVOLVE, beside(f"{kind}_state")) for kind in _CONVOLVED)
    return ((Function.DELTA_RULE, beside("delta_state")), *tails)


def _check_once(
    statements: Statements, plan: ShardingPlan, own: Ints, name: NameOf
) -> int:
    """Refuse columns that are replaced twice or never; return the states in all."""
    table = statements.flow.operations
    last = max(int(stage.chips.max()) for stage in plan.stages)
    replicas = np.full(last + 1, -1, dtype=np.int64)
    for stage in plan.stages:
        replicas[stage.chips] = stage.replica
    state = statements.read(own, name)
    columns = statements.columns(own, name)
    key = np.array([replicas[table.chip[own]], table.name[own], table.number[own]])
    _, begin, place = np.unique(key, axis=1, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    total = np.zeros(len(begin), dtype=np.uint64)
    np.add.at(total, place, weight_of(state.first, state.last))
    wanted = weight_of(0 * columns, columns)[begin]
    statements.must(
        (total == wanted)[place],
        own,
        "is one of chips that do not replace each column of a state just once a token",
    )
    # A state stays where it is: columns of a chip are those of the first pass.
    order = np.lexsort((table.number[own], state.first, *key[:2]))
    held = np.array([*key[:2], state.first, state.last, table.chip[own]])[:, order]
    alike = (held[:3, 1:] == held[:3, :-1]).all(axis=0)
    moved = alike & (held[3:, 1:] != held[3:, :-1]).any(axis=0)
    first_of = np.concatenate([[True], ~alike])
    passes = len(statements.flow.passes)
    seen = np.bincount(np.cumsum(first_of) - 1)
    short = np.repeat(seen != passes, seen)
    stays = ~(np.concatenate([[False], moved]) | short)
    statements.must(
        stays, own[order], "replaces a state that another pass has on another chip"
    )
    return len(begin)


def state_bytes(statements: Statements, plan: ShardingPlan) -> Ints:
    """Return, for dataflow rules, the bytes of states that each chip must keep."""
    total = np.zeros(statements.program.chips, dtype=np.int64)
    sizes, task = linear_sizes(statements), plan.task
    if sizes is None:
        return total
    table = statements.flow.operations
    last = len(statements.flow.passes) - 1
    plain = task.machine.formats.activations.bits
    for function, name in _states():
        own = statements.of(function)
        own = own[table.number[own] == last]
        state = statements.read(own, name)
        is_tail = function is Function.CONVOLVE
        rows, bits = (
            (sizes.kernel - 1, plain) if is_tail else (sizes.key_dim, _FP32_BITS)
        )
        size = -(-(state.last - state.first) * rows * bits // 8)
        np.add.at(total, table.chip[own], size * task.batch * plan.sequences)
    return total
