"""Infeasible plans: the missing memory, and the nearest configurations that fit."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from sharding.parallelism.strategy import Strategy
from sharding.planner.memory import stage_memories
from sharding.planner.stage_partition import (
    cuts_by_memory,
    fits_in_memory,
    held_bytes,
    stage_blocks,
)
from sharding.weights.blocks import Block, model_units
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.errors import PlanError
from specs.units import ceil_div

# Limits of the suggestions: the most stages, and the widest tensor group as a multiple
# of the requested one.
_MOST_STAGES = 2**14
_MOST_WIDENING = 16
# Narrowest weights to suggest: quantised models of this width are common.
_NARROW = "int4"


def capacity_error(
    task: Task,
    strategy: Strategy,
    units: list[Block],
    chips: Ints,
    sequences: int,
    *,
    there: int = 0,
) -> PlanError:
    """Return the planning error with the fullest chip, its missing bytes and what fits.

    Parameters are those of `sharding.planner.plan.plan_sharding`; `units` are the
    smallest blocks of the model, and `there` are the chips of the machine, at least
    those of the strategy.
    """
    # Balanced by memory alone, the plan shows which chip would be the fullest.
    cuts = cuts_by_memory(task, units, pipeline=strategy.pipeline, sequences=sequences)
    memories = stage_memories(task, stage_blocks(units, cuts), sequences)
    stage = max(range(len(memories)), key=lambda s: int(memories[s].total.max()))
    total = memories[stage].total
    member = int(total.argmax())
    chip = int(chips[stage * task.tensor + member])
    limit = task.machine.chip.sram_bytes
    held = ", ".join(
        f"{name.replace('_', ' ')} {values[member] / 1e6:.1f} MB"
        for name, values in memories[stage]._asdict().items()
    )
    return PlanError(
        f"{task.model.name} does not fit as {strategy}: chip {chip} (stage {stage}) is "
        f"the fullest and lacks {int(total[member]) - limit:,} bytes: it needs "
        f"{int(total[member]):,} ({held}) and has {limit:,}. "
        f"{_suggestions(task, strategy, sequences, max(there, strategy.chips))}"
    )


def _suggestions(task: Task, strategy: Strategy, sequences: int, there: int) -> str:
    """Return what fits: first on the chips that are there, then on the fewest more."""
    options = []
    here = "on this chip" if there == 1 else f"on these {there} chips"
    other = _split_of(task, strategy, sequences, there)
    if other is not None:
        options.append(f"--strategy {other} {here}")
    context = _largest(
        task.context,
        lambda positions: fits(
            task._replace(context=positions), strategy.pipeline, sequences
        ),
    )
    if context:
        options.append(f"--context {context}")
    if sequences > 1 and fits(task, strategy.pipeline, 1):
        most = _largest(sequences, lambda n: fits(task, strategy.pipeline, n))
        options.append(f"--sequences {most}")
    if not options:
        narrow = _narrower(task)
        other = _split_of(narrow, strategy, sequences, there) if narrow else None
        if other is not None:
            options.append(f"--set formats.weights={_NARROW} --strategy {other} {here}")
    for width in _widths(task, strategy):
        larger = replace(strategy, tensor=width)
        pipeline = smallest_pipeline(task.split_as(larger), sequences)
        if pipeline:
            larger = replace(larger, pipeline=pipeline)
            rack_chips = task.machine.system.chips_per_rack
            racks = ceil_div(larger.chips, rack_chips)
            options.append(
                f"--chips {larger.chips} --strategy {larger} ({racks} "
                f"rack{'s' if racks > 1 else ''} of {rack_chips})"
            )
            break
    if not options:
        return "No machine of these chips holds it; shorten the context."
    return f"What would do: {', or '.join(options)}."


def _widths(task: Task, strategy: Strategy) -> Iterator[int]:
    """Yield tensor widths for suggestions: the strategy's own, and wider ones."""
    width = strategy.tensor
    while width <= min(task.model.hidden_size, _MOST_WIDENING * strategy.tensor):
        yield width
        width *= 2


def _split_of(
    task: Task, strategy: Strategy, sequences: int, there: int
) -> Strategy | None:
    """Return a strategy like another that fits on the chips there, None if none is."""
    for width in _widths(task, strategy):
        pipeline = there // (width * strategy.data)
        if pipeline:
            other = replace(strategy, tensor=width, pipeline=pipeline)
            if fits(task.split_as(other), pipeline, sequences):
                return other
    return None


def _narrower(task: Task) -> Task | None:
    """Return the task with narrower weights, None if its own are as narrow."""
    setting = {"formats.weights": _NARROW}
    narrow = task._replace(
        model=task.model.in_formats_of(setting),
        machine=task.machine.with_settings(setting),
    )
    one = Strategy(tensor=1, pipeline=1)
    held = held_bytes(narrow.split_as(one), 1)
    return narrow if held < held_bytes(task.split_as(one), 1) else None


def fits(task: Task, pipeline: int, sequences: int) -> bool:
    """Return whether a pipeline of so many stages fits in memory."""
    try:
        units = model_units(
            task.model, task.machine, tensor=task.tensor, pipeline=pipeline
        )
    except PlanError:
        return False
    return fits_in_memory(task, units, pipeline=pipeline, sequences=sequences)


def fewest_chips(
    task: Task,
    sequences: int,
    strategies: Callable[[int], Iterable[Strategy]],
    *,
    more_than: int = 0,
) -> Strategy | None:
    """Return a strategy on the fewest chips with which a plan fits in memory.

    Parameters
    ----------
    task
        The task; the width of its tensor groups does not matter.
    sequences
        Sequences in flight.
    strategies
        The strategies that take exactly so many chips.
    more_than
        Chips that are known to be too few.

    Returns
    -------
    Strategy | None
        None if none fits on as many chips as a suggestion may name.
    """
    least = least_chips(task, sequences)
    for chips in range(max(least, more_than + 1), _MOST_STAGES + 1):
        for strategy in strategies(chips):
            if fits(task.split_as(strategy), strategy.pipeline, sequences):
                return strategy
    return None


def least_chips(task: Task, sequences: int) -> int:
    """Return a number of chips below which no plan fits, by what they hold in all."""
    chip = task.machine.chip
    # On a chip alone there are no copies, so that no split holds less.
    held = held_bytes(task.split_as(Strategy(tensor=1, pipeline=1)), sequences)
    return ceil_div(held, chip.sram_bytes - chip.program_reserve_bytes)


def smallest_pipeline(task: Task, sequences: int) -> int:
    """Return the fewest stages with which a plan fits in memory, 0 if no number does.

    Parameters
    ----------
    task
        The task, with the width of its tensor groups.
    sequences
        Sequences in flight.
    """
    high = 1
    while not fits(task, high, sequences):
        high *= 2
        if high > _MOST_STAGES:
            return 0
    low = high // 2 + 1
    while low < high:
        middle = (low + high) // 2
        if fits(task, middle, sequences):
            high = middle
        else:
            low = middle + 1
    return high


def _largest(limit: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number up to `limit` that fits, 0 if none does."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
