"""Loader: converts a program's columns to the steps of each processor."""

import numpy as np

from chip.program import Program
from fabric.runtime.step_layout import StepLayout
from fabric.simpy_engine.link import Link
from fabric.simpy_engine.processor import ProcessorStep
from specs.arrays import Ints, row_order


def load_steps(
    program: Program, layout: StepLayout, links: dict[int, Link]
) -> dict[int, list[ProcessorStep]]:
    """Return each chip's steps for its SimPy process, by position in the period.

    Parameters
    ----------
    program
        Program of all chips.
    layout
        Steps of the program.
    links
        Every directed link that a train uses.
    """
    sequences, deskews = program.sequences, program.deskews
    shift = program.interval_cycles * np.arange(sequences, dtype=np.int64)
    lag, position = np.divmod(
        layout.cycle[None, :] + shift[:, None], program.period_cycles
    )
    none = np.full(len(deskews), -1, dtype=np.int64)
    chip = np.concatenate([np.tile(layout.chip, sequences), deskews.chip])
    lag = np.concatenate([lag.ravel(), 0 * none])
    position = np.concatenate([position.ravel(), deskews.start_cycle])
    sequence = np.concatenate([np.repeat(np.arange(sequences), len(layout)), none])
    number = np.concatenate([np.tile(np.arange(len(layout)), sequences), none])
    # In one cycle, the end of a token comes before the start of the next.
    order = row_order(chip, position, -lag)
    numbers = number[order].tolist()
    sends = _per_step(layout.send_step, program, layout, links)
    takes = _per_step(layout.take_step, program, layout, links)
    columns = (
        position[order].tolist(),
        lag[order].tolist(),
        sequence[order].tolist(),
        numbers,
        [sends[step] for step in numbers],
        [takes[step] for step in numbers],
    )
    steps = list(map(ProcessorStep._make, zip(*columns, strict=True)))
    chips, begins = np.unique(chip[order], return_index=True)
    ends = [*begins[1:].tolist(), len(steps)]
    return {
        one: steps[begin:end]
        for one, begin, end in zip(chips.tolist(), begins.tolist(), ends, strict=True)
    }


def _per_step(
    step_of_train: Ints, program: Program, layout: StepLayout, links: dict[int, Link]
) -> list[tuple[tuple[Link, int], ...]]:
    """Return links and trains of each SimPy step; the last, of deskews, is empty."""
    rides: list[tuple[tuple[Link, int], ...]] = [()] * (len(layout) + 1)
    on_link = program.trains.link.tolist()
    for train, (step, link) in enumerate(
        zip(step_of_train.tolist(), on_link, strict=True)
    ):
        rides[step] += ((links[link], train),)
    return rides
