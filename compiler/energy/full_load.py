"""Full load of a chip, and the idle power that it leaves of the published average.

What a chip draws at full load is published, what it draws when idle is not. The load is
that of the busiest sustained product. Idle power is the average power less what the
operations of that product take, so that the two make the published average.
"""

from functools import cache
from typing import NamedTuple

from chip.program import Program
from compiler.compile_graph import compile_workload
from compiler.energy.program_energy import program_energy
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_planner import plan_workload
from specs.chip import ChipSpec
from specs.errors import SpecError
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology
from workloads.graphs.workload import load_workload

# The second operand fills tiles; isca22 (figure 13) has such products of 2,304 rows.
# With one row it is all weights, with many all arithmetic; the most may lie between.
_ROWS = (1, 64, 128, 256, 2304)
FULL_LOADS = tuple(
    f"gemm:{rows}x4096x3200:{number_format}"
    for number_format in ("fp16", "int8")
    for rows in _ROWS
)
"""Products of which the one that draws the most is full load."""
# The products need 100 MB; less memory changes nothing of what their operations draw.
_ROOM = {"sram_bytes": 2**30, "program_reserve_bytes": 2**20}


class FullLoad(NamedTuple):
    """Full load of a chip.

    Attributes
    ----------
    workload
        Name of the product.
    dynamic_w
        What its operations draw, in W.
    """

    workload: str
    dynamic_w: float


def full_load(machine: MachineSpec) -> FullLoad:
    """Return the product that draws the most on a chip, compiled for it alone."""
    chip, topology = machine.chip, select_topology(1)
    loads = []
    for name, program in _products(chip.model_copy(update=_ROOM)):
        joules = program_energy(program, topology, machine).total.total
        seconds = program.period_cycles / chip.clock_hz
        loads.append(FullLoad(name, joules / seconds))
    return max(loads, key=lambda load: load.dynamic_w)


@cache
def idle_chip_w(machine: MachineSpec) -> float | None:
    """Return the idle power of a chip in W, or None where no power is published.

    Raises
    ------
    SpecError
        If the operations of full load alone draw as much as is published.
    """
    average_w = machine.power.chip_average_w
    if average_w is None:
        return None
    load = full_load(machine)
    if load.dynamic_w >= average_w:
        scale = machine.power.operation_scale
        most = scale * average_w / load.dynamic_w
        raise SpecError(
            f"power.operation_scale {scale:g}: the operations of full load "
            f"({load.workload}) draw {load.dynamic_w:.1f} W, and chip_average_w "
            f"{average_w:g} leaves nothing for an idle chip; use less than {most:.3g}"
        )
    return average_w - load.dynamic_w


@cache
def _products(chip: ChipSpec) -> tuple[tuple[str, Program], ...]:
    """Return the products by name, each compiled for a chip alone."""
    # Links and clocks of a machine do not matter to one chip.
    machine = load_machine().model_copy(update={"chip": chip})
    topology = select_topology(1)
    chips = topology.active.astype("int64")
    programs = []
    for name in FULL_LOADS:
        grid = Grid(column=1, row=1)
        plan = plan_workload(load_workload(name), machine, grid, chips)
        schedule = compile_workload(plan, topology, stated=False)
        programs.append((name, schedule.program))
    return tuple(programs)
