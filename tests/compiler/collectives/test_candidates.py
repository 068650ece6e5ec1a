import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.collectives.candidates import candidates
from compiler.collectives.phases import Algorithm, Candidate
from compiler.cost.link_timing import hop_cycles, link_timing
from compiler.routing.message_scheduler import MessageScheduler
from specs.errors import ScheduleError
from specs.machine import load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology
from workloads.collective import Collective

MACHINE = load_machine()
NODE, RACK = select_topology(8), select_topology(72)
TIMING = link_timing(RACK, MACHINE, 30)
TRANSFERS = MessageScheduler(RACK, MACHINE, Routes(RACK), TIMING)


def applicable(
    kind: str = "all-reduce",
    *,
    chips: int = 16,
    vectors: int = 64,
    wanted: Algorithm = Algorithm.AUTO,
) -> list[Candidate]:
    return candidates(
        RACK,
        MACHINE,
        Collective(kind),
        chips=np.arange(chips, dtype=np.int64),
        payload_bytes=vectors * MACHINE.link.vector_bytes,
        timing=TIMING,
        wanted=wanted,
    )


@pytest.mark.parametrize(
    ("kind", "chips", "names"),
    [
        ("all-reduce", 8, {"one-shot", "two-step", "ring"}),
        (
            "all-reduce",
            16,
            {
                "one-shot",
                "two-step",
                "ring",
                "hierarchical whole",
                "hierarchical split",
                "hierarchical by nodes",
                "hierarchical by slots",
            },
        ),
        ("reduce-scatter", 8, {"one-shot", "ring"}),
        (
            "all-gather",
            16,
            {
                "one-shot",
                "ring",
                "hierarchical by nodes",
                "hierarchical by slots",
            },
        ),
        ("point-to-point", 2, {"one-shot", "spread"}),
    ],
)
def test_all_algorithms_that_apply_are_candidates(
    kind: str, chips: int, names: set[str]
) -> None:
    assert {str(each) for each in applicable(kind, chips=chips)} == names


def test_a_wanted_algorithm_is_the_only_candidate() -> None:
    (only,) = applicable(wanted=Algorithm.RING)
    assert (only.algorithm, only.form) == (Algorithm.RING, "")


@given(
    kind=st.sampled_from(["all-reduce", "reduce-scatter", "all-to-all", "broadcast"]),
    vectors=st.integers(1, 400),
)
@settings(max_examples=15)
def test_each_step_of_a_candidate_takes_a_hop_at_least_and_steps_ascend(
    kind: str, vectors: int
) -> None:
    made = applicable(kind, vectors=vectors)
    steps = [each.steps for each in made]
    assert steps == sorted(steps)
    for each in made:
        cycles = [
            TRANSFERS.transport(phase.messages).duration_cycles
            for phase in each.phases()
        ]
        assert len(cycles) == each.steps
        assert min(cycles) >= hop_cycles(MACHINE, 1)


def test_partial_sums_that_exceed_the_sram_rule_out_their_algorithm() -> None:
    # 15 partial sums of a tensor of a tenth of the SRAM arrive in one shot.
    vectors = MACHINE.chip.sram_bytes // 10 // MACHINE.link.vector_bytes
    names = {str(each) for each in applicable(vectors=vectors)}
    assert "one-shot" not in names
    assert "ring" in names
    with pytest.raises(ScheduleError, match=r"^a tensor of [\d,]+ vectors and what"):
        applicable(vectors=vectors, wanted=Algorithm.ONE_SHOT)


@pytest.mark.parametrize(
    ("kind", "wanted", "message"),
    [
        ("all-reduce", Algorithm.SPREAD, r"^all-reduce has no spread algorithm; use"),
        (
            "point-to-point",
            Algorithm.HIERARCHICAL,
            r"^point-to-point has no hierarchical algorithm; use",
        ),
    ],
)
def test_an_algorithm_that_does_not_apply_is_refused(
    kind: str, wanted: Algorithm, message: str
) -> None:
    with pytest.raises(ScheduleError, match=message):
        applicable(kind, chips=2, wanted=wanted)
