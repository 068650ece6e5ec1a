from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.program import Opcode, Program
from compiler.hazard_rules.structure import (
    by_start,
    check_ends,
    check_exclusive,
    check_operators,
    check_outage,
    check_routes,
    cycles_per_vector,
    in_period,
    violation,
)
from specs.errors import VerificationError
from specs.machine import load_machine
from topologies.outage import NO_OUTAGE, Outage
from topologies.selection import select_topology

ProgramOf = Callable[..., Program]
MACHINE = load_machine()
NODE = select_topology(8)
# From chip 0 to chip 1, and on to chip 2.
FIRST, SECOND = (
    next(
        link
        for link in range(len(NODE.source))
        if (NODE.source[link], NODE.target[link]) == ends
    )
    for ends in ((0, 1), (1, 2))
)


def row(
    chip: int, opcode: Opcode, start: int, duration: int, **rest: int
) -> dict[str, int]:
    return {
        "chip": chip,
        "opcode": int(opcode),
        "start_cycle": start,
        "duration_cycles": duration,
        **rest,
    }


def sent(train: int, link: int, start: int, duration: int = 24) -> dict[str, int]:
    opcode = Opcode.SEND if link == FIRST else Opcode.FORWARD
    port = int(NODE.source_port[link])
    chip = int(NODE.source[link])
    return row(chip, opcode, start, duration, train=train, port=port)


def received(train: int, link: int, start: int, duration: int = 24) -> dict[str, int]:
    port, chip = int(NODE.target_port[link]), int(NODE.target[link])
    return row(chip, Opcode.RECEIVE, start, duration, train=train, port=port)


def test_a_violation_names_its_rule_first() -> None:
    assert str(violation("a rule", "chip 3")) == "a rule: chip 3"


def test_a_vector_takes_its_wire_bits_at_the_line_rate() -> None:
    # 328 bytes at 100 Gbit/s, in cycles of 900 MHz.
    assert cycles_per_vector(MACHINE) == pytest.approx(23.616)


@given(
    starts=st.lists(st.integers(0, 999), max_size=5),
    sequences=st.integers(1, 4),
    interval=st.integers(0, 300),
)
def test_each_sequence_starts_an_interval_later_modulo_the_period(
    program_of: ProgramOf, starts: list[int], sequences: int, interval: int
) -> None:
    program = program_of([], period=1_000, sequences=sequences, interval=interval)
    assert in_period(program, np.array(starts, dtype=np.int64)).tolist() == [
        (start + number * interval) % 1_000
        for number in range(sequences)
        for start in starts
    ]


def test_what_runs_past_the_period_is_sorted_in_at_its_beginning_too(
    program_of: ProgramOf,
) -> None:
    # Chips 1, 0, 0 from cycles 5, 95 and 20 on, for ten cycles each.
    program = program_of([], period=100)
    (chip,), start, end = by_start(
        program, [np.array([1, 0, 0])], np.array([5, 95, 20]), np.array([10, 10, 10])
    )
    assert chip.tolist() == [0, 0, 0, 1]
    assert start.tolist() == [-5, 20, 95, 5]
    assert end.tolist() == [5, 30, 105, 15]


def test_hardware_out_of_order_has_neither_instructions_nor_trains(
    program_of: ProgramOf,
) -> None:
    program = program_of(
        [sent(0, FIRST, 300), received(0, FIRST, 600)],
        trains=[(FIRST, 1, 300, 600, -1)],
    )
    assert check_outage(program, NODE, NO_OUTAGE) == 3
    with pytest.raises(VerificationError, match=r"^out of order: chip 1 .* cycle 600$"):
        check_outage(program, NODE, Outage(chips=frozenset({1})))
    with pytest.raises(VerificationError, match=rf"order: link {FIRST} carries train"):
        check_outage(program, NODE, Outage(links=frozenset({FIRST, FIRST ^ 1})))


def test_a_train_is_sent_and_received_at_the_ports_of_its_link(
    program_of: ProgramOf,
) -> None:
    trains = [(FIRST, 1, 300, 600, -1)]
    good = program_of([sent(0, FIRST, 300), received(0, FIRST, 600)], trains=trains)
    assert check_ends(good, NODE, MACHINE) == 2
    elsewhere = received(0, SECOND, 600)
    port = {"chip": 1, "port": int(NODE.target_port[FIRST]) + 1}
    for wrong_row, ends in (
        (elsewhere, "chip 2 port"),
        (elsewhere | port, "chip 1 port"),
    ):
        wrong = program_of([sent(0, FIRST, 300), wrong_row], trains=trains)
        with pytest.raises(VerificationError, match=rf"^wrong port: {ends} \d+ is not"):
            check_ends(wrong, NODE, MACHINE)


@pytest.mark.parametrize(
    ("start", "duration", "message"),
    [
        (601, 24, r"is received at cycle 601, but says 600$"),
        (600, 23, r"1 vectors are received at cycle 600 in 23 cycles, but take 24$"),
    ],
)
def test_a_train_is_received_when_it_says_and_in_full(
    program_of: ProgramOf, start: int, duration: int, message: str
) -> None:
    program = program_of(
        [sent(0, FIRST, 300), received(0, FIRST, start, duration)],
        trains=[(FIRST, 1, 300, 600, -1)],
    )
    with pytest.raises(VerificationError, match=message):
        check_ends(program, NODE, MACHINE)


def test_a_train_that_nobody_receives_is_refused(program_of: ProgramOf) -> None:
    program = program_of([sent(0, FIRST, 300)], trains=[(FIRST, 1, 300, 600, -1)])
    with pytest.raises(VerificationError, match=r"^a train: is not received exactly"):
        check_ends(program, NODE, MACHINE)


works = st.lists(st.tuples(st.integers(0, 19), st.integers(1, 6)), max_size=4)


@given(works=works, sequences=st.integers(1, 2), interval=st.integers(0, 19))
def test_a_slice_is_free_exactly_if_no_two_instructions_share_a_cycle(
    program_of: ProgramOf,
    works: list[tuple[int, int]],
    sequences: int,
    interval: int,
) -> None:
    program = program_of(
        [row(0, Opcode.VECTOR, start, duration) for start, duration in works],
        period=20,
        sequences=sequences,
        interval=interval,
    )
    cycles = [
        (start + number * interval + cycle) % 20
        for number in range(sequences)
        for start, duration in works
        for cycle in range(duration)
    ]
    if len(set(cycles)) == len(cycles):
        check_exclusive(program)
    else:
        with pytest.raises(VerificationError, match=r"^a slice is used twice: chip 0 "):
            check_exclusive(program)


@pytest.mark.parametrize(("start", "holds"), [(5, True), (4, False)])
def test_an_instruction_runs_on_into_the_next_period(
    program_of: ProgramOf, start: int, holds: bool
) -> None:
    program = program_of(
        [row(0, Opcode.VECTOR, 95, 10), row(0, Opcode.VECTOR, start, 10)], period=100
    )
    if holds:
        check_exclusive(program)
    else:
        with pytest.raises(
            VerificationError, match=r"cycle 5 and starts again at .* 4$"
        ):
            check_exclusive(program)


def test_slices_and_chips_work_beside_each_other(program_of: ProgramOf) -> None:
    program = program_of(
        [
            row(0, Opcode.VECTOR, 0, 10),
            row(0, Opcode.MATMUL, 0, 10),
            row(1, Opcode.VECTOR, 0, 10),
        ]
    )
    assert check_exclusive(program) == 3


@pytest.mark.parametrize(("start", "holds"), [(50, True), (49, False)])
def test_an_operator_starts_when_the_one_before_has_ended(
    program_of: ProgramOf, start: int, holds: bool
) -> None:
    program = program_of(
        [
            row(0, Opcode.VECTOR, 0, 50, operator=0),
            row(0, Opcode.MATMUL, start, 10, operator=1),
        ]
    )
    if holds:
        assert check_operators(program, MACHINE) == 2
    else:
        with pytest.raises(VerificationError, match=r"cycle 49 but .* there at 50$"):
            check_operators(program, MACHINE)


def test_an_operand_is_in_sram_some_cycles_after_it_left_the_fifo(
    program_of: ProgramOf,
) -> None:
    trains = [(FIRST, 1, 300, 600, -1)]
    # The train takes 24 cycles, its only vector leaves at the first.
    ready = 600 + MACHINE.chip.receive_cycles
    receive = received(0, FIRST, 600) | {"operator": 0}
    for start in (ready, ready - 1):
        program = program_of(
            [receive, row(1, Opcode.VECTOR, start, 10, operator=1)], trains=trains
        )
        if start == ready:
            assert check_operators(program, MACHINE) == 2
        else:
            with pytest.raises(VerificationError, match=r"^an operand is late: chip 1"):
                check_operators(program, MACHINE)


def relayed(wire: int, vectors: int = 1, link: int = SECOND) -> list[tuple[int, ...]]:
    return [(FIRST, 1, 300, 600, -1), (link, vectors, wire, 5_000, 0)]


def test_a_relay_hop_leaves_after_its_train_has_passed_the_chip(
    program_of: ProgramOf,
) -> None:
    link = MACHINE.link
    least = 600 + link.forward_cycles - link.mean_latency_cycles
    assert check_routes(program_of([], trains=relayed(least)), NODE, MACHINE) == 1
    early = program_of([], trains=relayed(least - 1))
    with pytest.raises(VerificationError, match=rf"can be there at {least}$"):
        check_routes(early, NODE, MACHINE)


@pytest.mark.parametrize(
    "trains", [relayed(2_000, vectors=2), relayed(2_000, link=FIRST)]
)
def test_a_relay_hop_carries_what_arrived_from_where_it_arrived(
    program_of: ProgramOf, trains: list[tuple[int, ...]]
) -> None:
    with pytest.raises(VerificationError, match=r"^a route is broken: train 1 on link"):
        check_routes(program_of([], trains=trains), NODE, MACHINE)
