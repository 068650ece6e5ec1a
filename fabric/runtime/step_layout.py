"""Loading a program: from columns of instructions to the steps of each processor."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from chip.program import Opcode, Program
from fabric.simpy_engine.link import Link
from fabric.simpy_engine.processor import Step

Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """How the columns of a program correspond to steps.

    All instructions that a chip issues in one cycle are one step.

    Parameters
    ----------
    chip, cycle
        Chip and program cycle of each step, shape ``(steps,)``.
    step_of_instruction
        Step of each instruction, shape ``(instructions,)``.
    take_step, send_step
        Step in which each train is received and sent, shape ``(trains,)``.
    begin_step, end_step
        Steps that mark the start and the end of the token.
    """

    chip: Ints
    cycle: Ints
    step_of_instruction: Ints
    take_step: Ints
    send_step: Ints
    begin_step: int
    end_step: int

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.chip)


def lay_out(program: Program) -> Layout:
    """Return which instructions share a step; they are sorted by chip and cycle."""
    code = program.instructions
    new = np.ones(len(code), dtype=bool)
    new[1:] = (np.diff(code.chip) != 0) | (np.diff(code.start_cycle) != 0)
    step = np.cumsum(new) - 1
    take_step = np.full(len(program.trains), -1, dtype=np.int64)
    send_step = take_step.copy()
    takes = code.opcode == Opcode.RECEIVE
    sends = (code.opcode == Opcode.SEND) | (code.opcode == Opcode.FORWARD)
    take_step[code.train[takes]] = step[takes]
    send_step[code.train[sends]] = step[sends]
    marks = step[code.opcode == Opcode.MARK]
    return Layout(
        chip=code.chip[new].astype(np.int64),
        cycle=code.start_cycle[new],
        step_of_instruction=step,
        take_step=take_step,
        send_step=send_step,
        begin_step=int(marks[0]),
        end_step=int(marks[-1]),
    )


def load_steps(
    program: Program, layout: Layout, links: dict[int, Link]
) -> dict[int, list[Step]]:
    """Return the steps of each chip that has any, sorted by their place in the period.

    Parameters
    ----------
    program
        What the chips execute.
    layout
        Its steps.
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
    order = np.lexsort((-lag, position, chip))
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
    steps = list(map(Step._make, zip(*columns, strict=True)))
    chips, begins = np.unique(chip[order], return_index=True)
    ends = [*begins[1:].tolist(), len(steps)]
    return {
        one: steps[begin:end]
        for one, begin, end in zip(chips.tolist(), begins.tolist(), ends, strict=True)
    }


def _per_step(
    step_of_train: Ints, program: Program, layout: Layout, links: dict[int, Link]
) -> list[tuple[tuple[Link, int], ...]]:
    """Return link and train for each step, and nothing at -1, for a deskew."""
    rides: list[tuple[tuple[Link, int], ...]] = [()] * (len(layout) + 1)
    on_link = program.trains.link.tolist()
    for train, (step, link) in enumerate(
        zip(step_of_train.tolist(), on_link, strict=True)
    ):
        rides[step] += ((links[link], train),)
    return rides
