"""Two engines, one meaning: every integer of a run is the same in both."""

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from compiler.ir.schedule import Schedule
from fabric.faults.spares import Spares
from fabric.replay import replay
from fabric.results.result import RunResult
from fabric.simulation import simulate
from sharding.parallelism.tensor_group import FeedForwardLayout
from specs.errors import ScheduleError
from specs.faults import ChipStops, Fault, LinkDies, LinkErrorRate
from specs.machine import MachineSpec
from tests.engines.comparison import differences

Compile = Callable[..., Schedule]
Spared = Callable[..., tuple[Schedule, Spares]]
TIMES = st.floats(0, 120, allow_subnormal=False)
BUILT = {
    "8": (4, 2, "node"),
    "72": (8, 9, "rack"),
    "264": (8, 33, "nodes33"),
    "576": (8, 72, "dragonfly"),
}


def machines(*chips: str) -> pytest.MarkDecorator:
    """Return the parameters of a test of machines of so many chips."""
    return pytest.mark.parametrize(
        ("tensor", "pipeline", "topology"), [BUILT[each] for each in chips], ids=chips
    )


def both(
    schedule: Schedule,
    machine: MachineSpec | None = None,
    *,
    seed: int,
    tokens: int,
    faults: Sequence[Fault] = (),
    spares: Spares | None = None,
) -> tuple[RunResult, RunResult]:
    reference, fast = (
        engine(
            schedule.program,
            schedule.topology,
            machine or schedule.plan.task.machine,
            seed=seed,
            tokens=tokens,
            faults=faults,
            spares=spares,
            keep=frozenset({0, 1}),
        )
        for engine in (simulate, replay)
    )
    return reference, fast


def every_value(**choices: Sequence[object]) -> list[dict[str, object]]:
    """Return few settings, in which each value of each of them comes."""
    rows = max(map(len, choices.values()))
    return [
        {key: known[row % len(known)] for key, known in choices.items()}
        for row in range(rows)
    ]


def every_pair(**choices: Sequence[object]) -> list[dict[str, object]]:
    """Return settings in which any two values of two of them come together.

    A schedule that is compiled for each serves all runs that draw it.
    """
    left = dict.fromkeys(
        ((key, one), (other, two))
        for key, other in permutations(choices, 2)
        for one in choices[key]
        for two in choices[other]
    )
    rows = []
    while left:
        row = dict(next(iter(left)))
        for key, known in choices.items():
            if key not in row:
                new = [
                    sum((pair, (key, one)) in left for pair in row.items())
                    for one in known
                ]
                row[key] = known[new.index(max(new))]
        for pairs in permutations(row.items(), 2):
            left.pop(pairs, None)
        rows.append(row)
    return rows


@machines(*BUILT)
def test_both_engines_agree_on_every_integer(
    compiled: Compile, tensor: int, pipeline: int, topology: str
) -> None:
    schedule = compiled(tensor, pipeline, topology=topology)
    reference, fast = both(schedule, seed=7, tokens=3)
    assert differences(reference, fast) == []
    assert len(fast.records) == 2


# Settings that a schedule depends on.
PPM = (0.0, 10.0, 50.0, 200.0, 3_000.0)
HARDWARE = every_pair(
    clock__drift_ppm=PPM,
    clock__model=("constant", "walk"),
    link__jitter_cycles=(0, 1, 33, 60),
    link__fifo_vectors=(2, 3, 16),
    sequences=(1, 2, 3),
    split=((1, 1), (1, 3), (2, 2), (3, 4), (8, 1)),
)
ALSO = {
    # Several changes of frequency in every token.
    "clock__walk_stretch_cycles": 3_000,
    # So wide that vectors of a law without an end are late.
    "link__jitter_end_fraction": 1,
    "hac__epoch_cycles": 400,
    "hac__slew_counts": 3,
    "hac__tracking_error_counts": 3,
}


@pytest.mark.parametrize("interval", ["auto", 0, 200])
@given(
    scheduled=st.sampled_from(HARDWARE),
    seed=st.integers(0, 2**32),
    law=st.sampled_from(["beta", "clipped", "gaussian"]),
    ber=st.sampled_from([0.0, 1e-12, 1e-7, 3e-6, 1e-4]),
)
@settings(max_examples=60)
def test_both_engines_agree_whatever_the_hardware_does(
    compiled: Compile,
    *,
    interval: object,
    scheduled: dict[str, Any],
    seed: int,
    law: str,
    ber: float,
) -> None:
    split = scheduled["split"]
    try:
        schedule = compiled(
            *split,
            **{key: value for key, value in scheduled.items() if key != "split"},
            **ALSO,
            clock__walk_step_ppm=scheduled["clock__drift_ppm"] / 4,
            deskew__interval_epochs=interval,
        )
    except ScheduleError:
        # Only settings that run count as examples.
        reject()
    machine = drawn(schedule, law=law, ber=ber)
    reference, fast = both(schedule, machine, seed=seed, tokens=6)
    assert differences(reference, fast) == []


def drawn(schedule: Schedule, *, law: str, ber: float) -> MachineSpec:
    """Return the machine of a schedule with what its hardware draws."""
    return schedule.plan.task.machine.with_settings(
        {"link.ber": ber, "link.jitter": law, "link.jitter_std_fraction": 0.3}
    )


LINKS = st.integers(0, 99)
FAULTS = st.lists(
    st.one_of(
        st.builds(LinkDies, at_us=TIMES, link=LINKS),
        st.builds(ChipStops, at_us=TIMES, chip=st.integers(0, 7)),
        st.builds(
            LinkErrorRate,
            at_us=TIMES,
            until_us=st.floats(121, 400),
            link=LINKS,
            ber=st.sampled_from([1e-6, 1e-4, 1e-2]),
        ),
    ),
    max_size=3,
)


BROKEN = every_pair(
    clock__drift_ppm=PPM,
    clock__model=("constant", "walk"),
    link__jitter_cycles=(0, 33, 60),
    link__fifo_vectors=(2, 3, 16),
    link__vector_bytes=(16, 320),
    sequences=(1, 2, 3),
    spare_nodes=(0, 1, 2),
)


@pytest.mark.parametrize("interval", ["auto", 0])
@given(
    scheduled=st.sampled_from(BROKEN),
    seed=st.integers(0, 2**32),
    law=st.sampled_from(["beta", "clipped", "gaussian"]),
    ber=st.sampled_from([0.0, 1e-7, 3e-6, 1e-4]),
    faults=FAULTS,
)
@settings(max_examples=60)
def test_both_engines_agree_whatever_breaks(
    spared: Spared,
    *,
    interval: object,
    scheduled: dict[str, Any],
    seed: int,
    law: str,
    ber: float,
    faults: list[LinkDies | LinkErrorRate | ChipStops],
) -> None:
    try:
        schedule, spares = spared(
            **scheduled,
            **ALSO,
            clock__walk_step_ppm=scheduled["clock__drift_ppm"] / 4,
            deskew__interval_epochs=interval,
        )
    except ScheduleError:
        reject()
    links = len(schedule.topology.source)
    script = [
        fault
        if isinstance(fault, ChipStops)
        else fault.model_copy(update={"link": fault.link % links})
        for fault in faults
    ]
    reference, fast = both(
        schedule,
        drawn(schedule, law=law, ber=ber),
        seed=seed,
        tokens=5,
        faults=script,
        spares=spares,
    )
    assert differences(reference, fast) == []


CHOICES: dict[str, Sequence[object]] = {
    "clock__drift_ppm": (0.0, 10.0, 50.0, 120.0),
    "clock__model": ("constant", "walk"),
    "link__jitter_cycles": (0, 7, 33),
    "fec__code": ("secded", "rs528", "none"),
    "deskew__interval_epochs": ("auto", 0, 60),
    "link__fifo_vectors": (4, 16),
}
SCHEDULED = every_pair(**CHOICES)
# Schedules of hundreds of chips take most of the time.
FEW = every_value(**CHOICES)


def test_any_two_values_of_what_a_schedule_depends_on_are_scheduled_together() -> None:
    assert len(SCHEDULED) <= 16
    for one, other in permutations(CHOICES, 2):
        together = {(each[one], each[other]) for each in SCHEDULED}
        assert len(together) == len(CHOICES[one]) * len(CHOICES[other])


def test_any_value_of_what_a_schedule_depends_on_is_scheduled_on_large_machines() -> (
    None
):
    assert len(FEW) == 4
    for key, values in CHOICES.items():
        assert {each[key] for each in FEW} == {*values}


RUNS: dict[str, Any] = {
    "seed": st.integers(0, 2**32),
    "ber": st.sampled_from([0.0, 1e-12, 1e-7, 1e-5]),
    "errors": st.sampled_from(["independent", "bursts"]),
    "law": st.sampled_from(["beta", "clipped", "gaussian"]),
    "faults": st.lists(
        st.one_of(
            st.builds(LinkDies, at_us=TIMES, link=st.integers(0, 10**4)),
            st.builds(ChipStops, at_us=TIMES, chip=st.integers(0, 10**3)),
        ),
        max_size=2,
    ),
}


def agree(
    compiled: Compile,
    *split: object,
    scheduled: dict[str, Any],
    seed: int,
    ber: float,
    errors: str,
    law: str,
    faults: list[LinkDies | ChipStops],
) -> None:
    """Run a machine that is built in both engines, under settings and faults."""
    tensor, pipeline, topology = split
    schedule = compiled(
        tensor,
        pipeline,
        topology=topology,
        clock__walk_stretch_cycles=20_000,
        # How far a walk steps goes with how far it goes.
        clock__walk_step_ppm=scheduled["clock__drift_ppm"] / 4,
        **scheduled,
    )
    used, chips = schedule.program.trains.link, schedule.topology.chips
    script = [
        ChipStops(at_us=fault.at_us, chip=fault.chip % chips)
        if isinstance(fault, ChipStops)
        else LinkDies(at_us=fault.at_us, link=int(used[fault.link % len(used)]))
        for fault in faults
    ]
    machine = schedule.plan.task.machine
    reference, fast = both(
        schedule,
        machine.with_settings(
            {"link.ber": ber, "link.errors": errors, "link.jitter": law}
        ),
        seed=seed,
        tokens=2,
        faults=script,
    )
    assert differences(reference, fast) == []


@machines("8", "72")
@given(scheduled=st.sampled_from(SCHEDULED), **RUNS)
@settings(max_examples=52)
def test_both_engines_agree_on_a_node_and_on_a_rack(
    compiled: Compile, *, tensor: int, pipeline: int, topology: str, **run: Any
) -> None:
    agree(compiled, tensor, pipeline, topology, **run)


@machines("264", "576")
@given(scheduled=st.sampled_from(FEW), **RUNS)
@settings(max_examples=2 * len(FEW))
def test_both_engines_agree_on_the_larger_machines_that_are_built(
    compiled: Compile, *, tensor: int, pipeline: int, topology: str, **run: Any
) -> None:
    agree(compiled, tensor, pipeline, topology, **run)


def test_the_engines_also_agree_on_a_run_that_breaks_its_schedule(
    compiled: Compile,
) -> None:
    schedule = compiled(
        4,
        3,
        sequences=2,
        deskew__interval_epochs=0,
        clock__drift_ppm=2_000,
        hac__slew_counts=2,
    )
    reference, fast = both(schedule, seed=3, tokens=40)
    assert reference.underflows > 100
    assert differences(reference, fast) == []


def test_the_engines_also_agree_on_full_fifos(compiled: Compile) -> None:
    # Without deskews the crystals drift until vectors come far too early.
    schedule = compiled(
        8,
        1,
        deskew__interval_epochs=0,
        clock__drift_ppm=3_000,
        link__fifo_vectors=4,
        hac__slew_counts=2,
    )
    reference, fast = both(schedule, seed=3, tokens=60)
    assert reference.overflows > 100
    assert differences(reference, fast) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_both_engines_agree_on_replicas_side_by_side(
    compiled: Compile, seed: int
) -> None:
    schedule = compiled(4, 3, data=6, topology="rack", sequences=2, link__ber=1e-7)
    reference, fast = both(schedule, seed=seed, tokens=3)
    assert differences(reference, fast) == []


def test_both_engines_agree_on_layers_that_take_turns_and_lie_in_a_grid(
    compiled: Compile,
) -> None:
    schedule = compiled(16, 2, attention=4, layout=FeedForwardLayout.TWO_D, sequences=2)
    reference, fast = both(schedule, seed=3, tokens=3)
    assert differences(reference, fast) == []


def test_progress_counts_iterations_up_to_the_last(compiled: Compile) -> None:
    schedule = compiled(2, 2)
    seen: list[int] = []
    machine = schedule.plan.task.machine
    replay(
        schedule.program,
        schedule.topology,
        machine,
        seed=1,
        tokens=5,
        progress=seen.append,
    )
    assert seen == sorted(seen)
    assert seen[-1] == 5
