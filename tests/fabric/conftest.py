"""Segments of small machines, as every engine starts from them."""

from collections.abc import Callable, Sequence

import pytest

from compiler.ir.schedule import Schedule
from fabric.clocks.start_propagation import StartPropagation
from fabric.runtime.segment import Segment
from fabric.runtime.segments import RunSegments
from specs.faults import Fault

Compile = Callable[..., Schedule]
MakeSegment = Callable[..., Segment]


@pytest.fixture(scope="session")
def segment_of() -> MakeSegment:
    """Return the first segment of a run of a schedule."""

    def make(
        schedule: Schedule,
        *,
        seed: int = 1,
        tokens: int = 2,
        faults: Sequence[Fault] = (),
    ) -> Segment:
        segments = RunSegments(
            schedule.topology,
            schedule.plan.task.machine,
            seed=seed,
            tokens=tokens,
            faults=faults,
            spares=None,
            align=StartPropagation.start,
        )
        return next(iter(segments.of(schedule.program)))

    return make


@pytest.fixture(scope="session")
def steady(compiled: Compile, segment_of: MakeSegment) -> Segment:
    """Return two tokens on eight chips whose crystals agree and links do not jitter."""
    schedule = compiled(2, 4, clock__model="ideal", link__jitter_cycles=0, link__ber=0)
    return segment_of(schedule)


@pytest.fixture(scope="session")
def drifting(compiled: Compile, segment_of: MakeSegment) -> Segment:
    """Return two tokens of two sequences on eight chips that drift and jitter."""
    return segment_of(compiled(2, 4, sequences=2))
