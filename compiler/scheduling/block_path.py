"""Path of a block: how long its operators and exchanges take, one behind the other.

A schedule and a lower bound walk it alike; they differ in how long an exchange takes.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from compiler.scheduling.weight_prefetch import WeightPrefetcher, Windows
from sharding.operators.operators import Compute, Exchange, ShardedOperator, Unit


class BlockPath(NamedTuple):
    """Path of a block.

    Attributes
    ----------
    cycles
        Its length.
    windows
        Cycles left in which weights may load, relative to its end.
    """

    cycles: int
    windows: Windows


def block_path(
    operators: Sequence[ShardedOperator],
    exchange_cycles: Callable[[Exchange], int],
    prefetch: WeightPrefetcher,
    windows: Windows,
    *,
    least: bool = False,
) -> BlockPath:
    """Return the path of operators that are scheduled behind each other.

    Parameters
    ----------
    operators
        Operators and exchanges in order.
    exchange_cycles
        Returns the cycles of an exchange.
    prefetch
        What loads weights ahead; its free cycles are discarded.
    windows
        Free cycles before the block, relative to its start.
    least
        Whether products take a lower bound on what they take in any schedule.
    """
    now, product_end, exchanged = 0, 0, 0
    prefetch.restart()
    for start, end in windows:
        prefetch.free(start, end)
    for operator in operators:
        if isinstance(operator, Exchange):
            begin, sent = now, now + exchange_cycles(operator)
            if operator.beside is None or not operator.beside.cycles.any():
                prefetch.free(begin, sent)
                now = exchanged = sent
                continue
            start = prefetch.begin(operator.beside, begin, exchanged, product_end)
            product_end = _product_end(operator.beside, prefetch, start, least=least)
            prefetch.free(product_end, sent)
            now, exchanged = max(sent, product_end), sent
        elif operator.unit is Unit.MATMUL and operator.cycles.any():
            start = prefetch.begin(operator, now, exchanged, product_end)
            now = product_end = _product_end(operator, prefetch, start, least=least)
        elif operator.cycles.any():
            begin, now = now, now + int(operator.cycles.max())
            prefetch.after(operator.unit, begin, now)
    return BlockPath(
        now, tuple((start - now, end - now) for start, end in prefetch.windows)
    )


def _product_end(
    operator: Compute, prefetch: WeightPrefetcher, start: int, *, least: bool
) -> int:
    """Return when a product ends that starts at a cycle."""
    if least:
        cycles = prefetch.least_cycles(operator)
    else:
        cycles = prefetch.product(operator, start).cycles
    end = start + int(cycles.max())
    prefetch.after(Unit.MATMUL, start, end)
    return end
