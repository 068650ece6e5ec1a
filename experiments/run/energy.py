"""Energy of a run: the power that its chips draw, and the energy of a token by cause.

A chip in use draws its idle power all the time, at work or not, and what its program's
operations take beside it. Links send without pause. Chips without an instruction are
off. Hosts, fans and power supplies are not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

from chip.program import Program
from compiler.energy.full_load import idle_chip_w
from compiler.energy.program_energy import ProgramEnergy, program_energy
from compiler.energy.standing_power import standing_power
from experiments.run.preparation import Prepared
from experiments.run.scenario import Run
from specs.machine import MachineSpec
from specs.system import PowerSpec
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Power of a machine in W, and energy of a token in J; None where unpublished.

    Attributes
    ----------
    powered_chips
        Chips that are on: those with an instruction, and all if some are spares.
    average_power_w, idle_power_w, tdp_power_w
        Chips and optics: in this run, with nothing to do, and with chips at their most.
    idle_chip_w
        One chip with nothing to do.
    busiest_chip_w
        The chip that draws the most in this run.
    peak_operator_w
        A chip while the operator runs that draws the most, and weights are loaded.
    over_tdp
        Whether one of the last two is more than a chip's TDP.
    energy_per_token_j, tdp_energy_per_token_j
        Average power, and TDP, for the time of each token of all users.
    idle_energy_per_token_j, optical_energy_per_token_j
        Parts of `energy_per_token_j`: chips with nothing to do, and optics.
    matrix_energy_per_token_j, vector_energy_per_token_j, sram_energy_per_token_j,
    stream_energy_per_token_j, link_energy_per_token_j
        The other parts: what operations take, by the part of a chip.
    chip_energy_per_token_j, dynamic_energy_per_token_j
        All but optics, and all operations.
    port_energy_per_token_j
        What links take when idle, within that of idle chips.
    idle_share
        Part of `energy_per_token_j` that no operation takes.
    """

    powered_chips: int
    average_power_w: float | None
    idle_power_w: float | None
    tdp_power_w: float | None
    idle_chip_w: float | None
    busiest_chip_w: float | None
    peak_operator_w: float | None
    over_tdp: bool | None
    energy_per_token_j: float | None
    tdp_energy_per_token_j: float | None
    idle_energy_per_token_j: float | None
    dynamic_energy_per_token_j: float | None
    matrix_energy_per_token_j: float | None
    vector_energy_per_token_j: float | None
    sram_energy_per_token_j: float | None
    stream_energy_per_token_j: float | None
    link_energy_per_token_j: float | None
    chip_energy_per_token_j: float | None
    port_energy_per_token_j: float | None
    optical_energy_per_token_j: float | None
    idle_share: float | None


class _Drawn(NamedTuple):
    """Dynamic power of a run, in W: its parts, and chips; None if unpublished."""

    total: float | None = None
    matrix: float | None = None
    vector: float | None = None
    sram: float | None = None
    stream: float | None = None
    link: float | None = None
    busiest_chip: float | None = None
    peak_operator: float | None = None


def run_energy(run: Run, tokens_per_s: float | None) -> Energy:
    """Return the power of the machine of a run and the energy of each token.

    Parameters
    ----------
    run
        What was run. Its first program of tokens counts; a prompt and longer contexts
        only as far as a chip draws more in them.
    tokens_per_s
        Tokens of all users together; None where none is made.
    """
    prepared = run.prepared
    tokens = 1
    if isinstance(prepared, Prepared):
        tokens = prepared.plan.strategy.data * prepared.scenario.batch
    others = [bucket.schedule.program for bucket in run.buckets[1:]]
    if run.prompt is not None:
        others.append(run.prompt.prefill.schedule.program)
    return energy_of(
        run.schedule.program,
        prepared.topology,
        prepared.machine,
        tokens_per_s=tokens_per_s,
        tokens_per_pass=tokens,
        others=others,
    )


def energy_of(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    *,
    tokens_per_s: float | None,
    tokens_per_pass: int = 1,
    others: Sequence[Program] = (),
) -> Energy:
    """Return the power of the machine of a run and the energy of each token.

    Parameters
    ----------
    program
        What its chips execute.
    topology, machine
        What draws power.
    tokens_per_s
        Tokens of all users together; None where none is made: then passes follow each
        other as compiled.
    tokens_per_pass
        Tokens that an iteration of the program makes.
    others
        What the chips execute at other times, which may draw more.
    """
    hz = machine.chip.clock_hz
    spent = program_energy(program, topology, machine)
    standing = standing_power(machine, topology, spent.powered)
    passes_per_s = hz * program.sequences / program.period_cycles
    if tokens_per_s is not None:
        passes_per_s = tokens_per_s / tokens_per_pass
    loads = [(spent, passes_per_s)]
    for other in others:
        rate = hz * other.sequences / other.period_cycles
        loads.append((program_energy(other, topology, machine), rate))
    idle_w = idle_chip_w(machine)
    drawn = _Drawn() if idle_w is None else _drawn(loads)
    average = _plus(standing.idle, drawn.total)
    busiest = _plus(idle_w, drawn.busiest_chip)
    peak = _plus(idle_w, drawn.peak_operator)

    def per_token(watts: float | None) -> float | None:
        return None if watts is None or not tokens_per_s else watts / tokens_per_s

    return Energy(
        powered_chips=standing.powered_chips,
        average_power_w=average,
        idle_power_w=standing.idle,
        tdp_power_w=standing.tdp,
        idle_chip_w=idle_w,
        busiest_chip_w=busiest,
        peak_operator_w=peak,
        over_tdp=_over_tdp(machine.power, busiest, peak),
        energy_per_token_j=per_token(average),
        tdp_energy_per_token_j=per_token(standing.tdp),
        idle_energy_per_token_j=per_token(standing.chips),
        dynamic_energy_per_token_j=per_token(drawn.total),
        matrix_energy_per_token_j=per_token(drawn.matrix),
        vector_energy_per_token_j=per_token(drawn.vector),
        sram_energy_per_token_j=per_token(drawn.sram),
        stream_energy_per_token_j=per_token(drawn.stream),
        link_energy_per_token_j=per_token(drawn.link),
        chip_energy_per_token_j=per_token(_plus(standing.chips, drawn.total)),
        port_energy_per_token_j=per_token(standing.ports),
        optical_energy_per_token_j=per_token(standing.optics),
        idle_share=standing.idle / average if standing.idle and average else None,
    )


def _drawn(loads: Sequence[tuple[ProgramEnergy, float]]) -> _Drawn:
    """Return the dynamic power of a run's programs, each with its passes in a second.

    Parts are those of the first program.
    """
    spent, passes_per_s = loads[0]
    total = spent.total
    return _Drawn(
        total=total.total * passes_per_s,
        matrix=total.matrix * passes_per_s,
        vector=total.vector * passes_per_s,
        sram=total.sram * passes_per_s,
        stream=total.stream * passes_per_s,
        link=total.link * passes_per_s,
        busiest_chip=max(
            float(each.per_chip_j.sum(axis=1).max()) * rate for each, rate in loads
        ),
        peak_operator=max(each.peak.operator + each.peak.load for each, _ in loads),
    )


def _over_tdp(
    power: PowerSpec, busiest: float | None, peak: float | None
) -> bool | None:
    """Return whether a chip of a run draws more than its TDP, None if unknown."""
    if power.chip_tdp_w is None or busiest is None or peak is None:
        return None
    return max(busiest, peak) > power.chip_tdp_w


def _plus(watts: float | None, more: float | None) -> float | None:
    """Return the power of two parts of a run's machine, None if one is unknown."""
    return None if watts is None or more is None else watts + more
