from collections.abc import Callable

import numpy as np
import pytest

from compiler.ir.schedule import Schedule
from compiler.verify import verify
from fabric.clocks.alignment_epochs import level_delays
from fabric.clocks.start_propagation import StartPropagation
from fabric.runtime.segments import RunSegments
from fabric.simulation import simulate

Compile = Callable[..., Schedule]


@pytest.mark.parametrize("kind", ["breadth_first", "least_error"])
def test_compiler_and_hardware_align_over_one_tree(
    compiled: Compile, kind: str
) -> None:
    schedule = compiled(8, 9, hac__tree=kind)
    machine, topology = schedule.plan.task.machine, schedule.topology
    segments = RunSegments(
        topology,
        machine,
        seed=1,
        tokens=1,
        faults=(),
        spares=None,
        align=StartPropagation.start,
    )
    (segment,) = segments.of(schedule.program)
    per_level = level_delays(machine, topology, schedule.tree).per_level
    assert segment.start.epochs == per_level * schedule.tree.height
    errors = segment.crystals.error_counts
    assert (np.abs(errors) <= schedule.tree.depth).all()
    verify(schedule.program, topology, machine)
    result = simulate(schedule.program, topology, machine, seed=1, tokens=2)
    assert result.underflows == result.overflows == 0
