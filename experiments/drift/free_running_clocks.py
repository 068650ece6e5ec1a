"""Chips whose clocks run free: a program that never deskews, and its first token."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from chip.program import Opcode, Program
from fabric.results.result import RunResult
from specs.arrays import Floats
from specs.machine import MachineSpec
from specs.units import PPM, PS_PER_S
from topologies.topology import Topology


class FreeRunningClocks(NamedTuple):
    """A program on free-running clocks, and the slack of its first token.

    Attributes
    ----------
    program, topology, machine
        The program, the wiring and the hardware; one sequence, no deskews.
    hz
        Frequency of each chip's crystal, shape ``(chips,)``.
    slack_ps
        Slack of each train's first vector in the first token, without jitter, shape
        ``(trains,)``.
    """

    program: Program
    topology: Topology
    machine: MachineSpec
    hz: Floats
    slack_ps: Floats

    @property
    def period_ps(self) -> Floats:
        """Return the period of each chip's crystal, in ps."""
        return PS_PER_S / self.hz

    @property
    def loss_ps(self) -> Floats:
        """Return the slack that each train loses in a cycle, in ps."""
        link = self.program.trains.link
        period_ps = self.period_ps
        loss: Floats = (
            period_ps[self.topology.source[link]]
            - period_ps[self.topology.target[link]]
        )
        return loss


def free_run(
    program: Program, topology: Topology, machine: MachineSpec, result: RunResult
) -> FreeRunningClocks:
    """Return crystals and slack of a run without jitter, to study its drift.

    Parameters
    ----------
    program, topology, machine
        The program of the run, the wiring and the hardware.
    result
        The run, with a record of its first iteration.
    """
    record = next(record for record in result.records if record.iteration == 0)
    code = program.instructions
    receives = np.flatnonzero(code.opcode == Opcode.RECEIVE)
    received_ps = np.zeros(len(program.trains), dtype=np.int64)
    received_ps[code.train[receives]] = record.instruction_ps[receives]
    return FreeRunningClocks(
        program,
        topology,
        machine,
        machine.chip.clock_hz * (1 + result.chips.offset_ppm / PPM),
        (received_ps - record.arrival_ps).astype(np.float64),
    )


def without_deskews(program: Program) -> Program:
    """Return a program without its RUNTIME_DESKEWs, so that its clocks drift apart."""
    none = np.zeros(0, dtype=np.int64)
    deskews = replace(
        program.deskews,
        chip=none.astype(np.int32),
        start_cycle=none,
        interval_cycles=0,
    )
    return replace(program, deskews=deskews)
