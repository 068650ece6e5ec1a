from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.program import Opcode, Program
from compiler.hazard_rules.timing import check_deskews, check_fifos, check_receives
from specs.errors import VerificationError
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology

ProgramOf = Callable[..., Program]
NODE = select_topology(8)
# Every vector arrives 209 cycles after it has entered the wire.
IDEAL = load_machine().with_settings({"clock.drift_ppm": 0, "link.jitter_cycles": 0})
LATENCY = IDEAL.reference_latency_cycles
JITTERY = IDEAL.with_settings({"link.jitter_cycles": 19})
DRIFTING = load_machine()
# Two chips with counters off by 1, one more count and one more edge.
COUNTERS = 2 * 1 + 2


def train(receive: int, *, wire: int = 0, vectors: int = 1) -> tuple[int, ...]:
    return (0, vectors, wire, receive, -1)


@pytest.mark.parametrize(
    ("machine", "latest"),
    [
        (IDEAL, LATENCY),
        (JITTERY, LATENCY + 19 + COUNTERS),
        # 100 ppm of 20,000 cycles and a flight.
        (DRIFTING, LATENCY + 33 + COUNTERS + 3),
    ],
    ids=["ideal", "jitter", "drift"],
)
def test_a_vector_is_received_after_its_latest_arrival_and_no_sooner(
    program_of: ProgramOf, machine: MachineSpec, latest: int
) -> None:
    good = program_of([], trains=[train(latest)], deskew_interval=20_000)
    assert check_receives(good, NODE, machine, tree_height=1) == 1
    early = program_of([], trains=[train(latest - 1)], deskew_interval=20_000)
    with pytest.raises(VerificationError, match=r"widen the guard by 1 cycles$"):
        check_receives(early, NODE, machine, tree_height=1)


@given(
    wait=st.integers(0, 300),
    vectors=st.integers(1, 20),
    places=st.integers(1, 20),
)
def test_the_vectors_that_wait_are_those_that_came_before_the_receive(
    program_of: ProgramOf, wait: int, vectors: int, places: int
) -> None:
    machine = IDEAL.with_settings({"link.fifo_vectors": places})
    program = program_of([], trains=[train(LATENCY + wait, vectors=vectors)])
    # A vector takes 23.616 cycles.
    waiting = min(vectors, int(wait / 23.616) + 1)
    if waiting <= places:
        assert check_fifos(program, NODE, machine, tree_height=1) == 1
    else:
        with pytest.raises(VerificationError, match=rf"^overflow: .* to {waiting}$"):
            check_fifos(program, NODE, machine, tree_height=1)


def test_vectors_of_the_train_behind_wait_too(program_of: ProgramOf) -> None:
    program = program_of(
        [],
        trains=[train(LATENCY + 100), train(LATENCY + 200, wire=24)],
    )
    full = IDEAL.with_settings({"link.fifo_vectors": 1})
    with pytest.raises(VerificationError, match=r"^overflow: link 0: 2 vectors may"):
        check_fifos(program, NODE, full, tree_height=1)
    enough = IDEAL.with_settings({"link.fifo_vectors": 2})
    assert check_fifos(program, NODE, enough, tree_height=1) == 2


def linked(*deskews: int, start: int, interval: int) -> dict[str, object]:
    """Return a program in which chip 0 sends for 24 cycles, with its deskews."""
    send = {
        "chip": 0,
        "opcode": int(Opcode.SEND),
        "start_cycle": start,
        "duration_cycles": 24,
    }
    return {
        "rows": [send],
        "deskews": [(0, cycle) for cycle in deskews],
        "deskew_interval": interval,
        "stall": 252,
        "period": 10_000,
    }


def checked(program_of: ProgramOf, program: dict[str, object]) -> int:
    rows = program.pop("rows")
    return check_deskews(program_of(rows, **program), DRIFTING, tree_height=1)


def test_a_link_may_be_used_until_the_interval_after_a_deskew_has_ended(
    program_of: ProgramOf,
) -> None:
    # One instruction and one deskew.
    assert checked(program_of, linked(0, start=976, interval=1_000)) == 2
    with pytest.raises(VerificationError, match=r"^a deskew is missing: chip 0 uses"):
        checked(program_of, linked(0, start=977, interval=1_000))


def test_a_deskew_before_the_period_counts_at_its_beginning(
    program_of: ProgramOf,
) -> None:
    assert checked(program_of, linked(9_500, start=476, interval=1_000)) == 2


@pytest.mark.parametrize(("start", "holds"), [(252, True), (251, False)])
def test_no_instruction_runs_during_a_deskew(
    program_of: ProgramOf, start: int, holds: bool
) -> None:
    program = linked(0, start=start, interval=1_000)
    if holds:
        assert checked(program_of, program) == 2
    else:
        with pytest.raises(VerificationError, match=r"^a deskew stalls work: chip 0"):
            checked(program_of, program)


@pytest.mark.parametrize(
    ("deskews", "message"),
    [
        ((0, 251), "^two deskews overlap: chip 0 deskews at cycle 0 and 251 cycles"),
        # The second one is in the next period.
        ((51, 9_800), "^two deskews overlap: chip 0 deskews at cycle 9800 and 251 cyc"),
    ],
)
def test_two_deskews_of_a_chip_are_a_stall_apart(
    program_of: ProgramOf, deskews: tuple[int, int], message: str
) -> None:
    with pytest.raises(VerificationError, match=message):
        checked(program_of, linked(*deskews, start=600, interval=1_000))


def test_drift_between_deskews_stays_below_half_an_epoch(
    program_of: ProgramOf,
) -> None:
    program = linked(0, start=300, interval=1_000)
    # 126 counts less 2 of the counter, at 100 ppm: 1.24 million cycles.
    assert checked(program_of, program | {"period": 1_239_000}) == 2
    program = linked(0, start=300, interval=1_000)
    with pytest.raises(VerificationError, match=r"^a deskew is misread: chip 0"):
        checked(program_of, program | {"period": 1_241_000})


def test_only_clocks_that_do_not_drift_need_no_deskew(program_of: ProgramOf) -> None:
    program = program_of([])
    assert check_deskews(program, IDEAL, tree_height=1) == 0
    with pytest.raises(VerificationError, match=r"^a program never deskews: in"):
        check_deskews(program, DRIFTING, tree_height=1)
