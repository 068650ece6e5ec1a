"""Energy of a token by strategy: exact once it is compiled, and a bound before.

Every strategy multiplies the same weights and reads them once for a batch, so that
strategies differ in what their chips draw while they wait, and little else.
"""

from typing import final

import numpy as np

from chip.program import Program
from compiler.energy.full_load import idle_chip_w
from compiler.energy.operation_energy import vector_energy
from compiler.energy.program_energy import program_energy
from compiler.energy.standing_power import standing_power
from compiler.ir.program_emission import Emitted
from sharding.weights.task import Task
from specs.arrays import Floats
from specs.decode_work import decode_work
from specs.formats import Format
from specs.model_formats import WeightGroup
from specs.units import J_PER_PJ
from topologies.topology import Level, Topology


@final
class TokenEnergy:
    """Energy of a token under any strategy for a task, on chips in order.

    Parameters
    ----------
    task
        The job; its machine has a published power.
    topology
        The topology, whose active chips are used from the first on.
    """

    def __init__(self, task: Task, topology: Topology) -> None:
        self._task = task
        self._topology = topology
        idle_w = idle_chip_w(task.machine)
        assert idle_w is not None
        self._standing_w = _standing_w(task, topology, idle_w)
        self._least_j = least_dynamic_j(task) / task.batch

    def at_least(self, chips: int, share_cycles: float) -> float:
        """Return a lower bound on the energy of a token, in J.

        Parameters
        ----------
        chips
            Chips of the strategy. Those that only forward for them are left out.
        share_cycles
            Machine cycles for each token of a batch, or a lower bound of them.
        """
        return self._shared(float(self._standing_w[chips]), share_cycles, self._least_j)

    def of_program(
        self, program: Program | Emitted, share_cycles: float, passes: int
    ) -> float:
        """Return the energy of a token of a program, in J.

        Parameters
        ----------
        program
            What the chips execute, or its instructions and trains.
        share_cycles
            Machine cycles for each token of a batch.
        passes
            Passes of the model in it: one for each replica.
        """
        machine = self._task.machine
        spent = program_energy(program, self._topology, machine)
        standing_w = standing_power(machine, self._topology, spent.powered).idle
        assert standing_w is not None
        dynamic_j = spent.total.total / passes / self._task.batch
        return self._shared(standing_w, share_cycles, dynamic_j)

    def _shared(
        self, standing_w: float, share_cycles: float, dynamic_j: float
    ) -> float:
        """Return the energy of a token of standing power and operations, in J."""
        seconds = share_cycles / self._task.machine.chip.clock_hz
        return standing_w * seconds / self._task.batch + dynamic_j


def token_energy(task: Task, topology: Topology) -> TokenEnergy | None:
    """Return the energy of a task's tokens, None where no power is published."""
    if idle_chip_w(task.machine) is None:
        return None
    return TokenEnergy(task, topology)


def least_dynamic_j(task: Task) -> float:
    """Return a lower bound on the dynamic energy of a pass of a model, in J.

    Its matrix products alone count: they read weights and the KV cache once. Of an
    encoder it is 0, as its work is not that of a decode step.
    """
    machine = task.machine
    if task.model.structure.encoder:
        return 0.0
    power, formats = machine.power, task.formats
    weights, both = (
        decode_work(
            task.model,
            context=context,
            batch=task.batch,
            weights=formats,
            kv_cache=task.cached_format,
        )
        for context in (0, task.context)
    )
    byte_j = vector_energy(power, 1, read=True).total
    multiplied_pj = weights.flop / 2 * _least_mac_pj(task)
    multiplied_pj += (both.flop - weights.flop) / 2 * _mac_pj(task, task.cached_format)
    multiplied_j = multiplied_pj * power.operation_scale * J_PER_PJ
    return both.read_bytes * byte_j + multiplied_j


def _least_mac_pj(task: Task) -> float:
    """Return the least energy of a multiplication with weights, unscaled."""
    return min(
        _mac_pj(task, stored.element)
        for group in WeightGroup
        for stored in task.formats.every(group)
    )


def _mac_pj(task: Task, stored: Format) -> float:
    """Return the least energy of a multiplication of a task's matrix, unscaled."""
    power = task.machine.power
    if task.operand_bytes(stored) > 1:
        return power.mac_fp16_pj
    return min(power.mac_int8_pj, power.mac_fp16_pj)


def _standing_w(task: Task, topology: Topology, idle_w: float) -> Floats:
    """Return the standing power of the first chips by their number, in W."""
    active, machine = topology.active, task.machine
    count = len(active)
    if machine.spares:
        everything = np.ones(topology.chips, dtype=bool)
        all_on = standing_power(machine, topology, everything).idle
        assert all_on is not None
        return np.full(count + 1, all_on)
    rank = np.full(topology.chips, count + 1)
    rank[active] = np.arange(1, count + 1)
    optical = topology.level == Level.GLOBAL
    # An end is on as soon as both of its chips are.
    since = np.maximum(rank[topology.source], rank[topology.target])[optical]
    ends = np.cumsum(np.bincount(since, minlength=count + 2))[: count + 1]
    watts: Floats = np.arange(count + 1) * idle_w + ends * machine.power.optical_end_w
    return watts
