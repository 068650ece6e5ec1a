"""Steps of a program: the instructions that a chip issues in one cycle."""

from dataclasses import dataclass
from typing import final

import numpy as np

from chip.program import Opcode, Program
from specs.arrays import Ints


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepLayout:
    """Steps of a program and their relation to its columns.

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


def lay_out(program: Program) -> StepLayout:
    """Return the run-time steps of a program, sorted by chip and cycle."""
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
    return StepLayout(
        chip=code.chip[new].astype(np.int64),
        cycle=code.start_cycle[new],
        step_of_instruction=step,
        take_step=take_step,
        send_step=send_step,
        begin_step=int(marks[0]),
        end_step=int(marks[-1]),
    )
