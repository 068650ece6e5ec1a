from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from chip.operator_cycles import work_cycles
from chip.operator_work import adding
from compiler.collectives.exchange_phases import exchange_candidates
from compiler.collectives.exchange_selection import (
    MOST_TRAINS,
    ExchangeSelector,
    token_exchanges,
)
from compiler.collectives.phases import Algorithm, Candidate, Phase
from compiler.compile_collective import compile_collective
from compiler.cost.link_timing import link_timing
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import Transport, trainless
from compiler.routing.message_scheduler import MessageScheduler
from sharding.operators.operators import Exchange, Pattern
from specs.machine import load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology

MACHINE = load_machine()
RACK = select_topology(72)
CHIPS = np.arange(16, dtype=np.int64)


class PerMessage:
    """A transfer model in which a phase takes so many cycles, and each message some."""

    def __init__(self, phase: int, message: int) -> None:
        self._phase, self._message = phase, message

    def transport(self, messages: MessageTable) -> Transport:
        return trainless(self._phase + self._message * len(messages))


def selector(*, phase: int = 0, message: int = 0) -> ExchangeSelector:
    return ExchangeSelector(MACHINE, PerMessage(phase, message))


def exchange(pattern: Pattern) -> Exchange:
    return Exchange("exchange", pattern, np.full(16, 640), np.zeros(16, dtype=np.int64))


def fastest(chooser: ExchangeSelector, pattern: Pattern) -> tuple[Phase, ...]:
    candidates = exchange_candidates(RACK, exchange(pattern), CHIPS)
    return chooser.selected(candidates)[0].phases


def test_slow_phases_select_the_direct_exchange() -> None:
    assert len(fastest(selector(phase=1_000), Pattern.GATHER)) == 1


def test_slow_messages_select_the_exchange_by_levels() -> None:
    # 240 messages directly; 16 between two nodes and 112 within them.
    assert len(fastest(selector(message=1_000), Pattern.GATHER)) == 2


def test_additions_between_phases_count_against_a_reduce_scatter() -> None:
    candidates = exchange_candidates(RACK, exchange(Pattern.SCATTER), CHIPS)
    split = candidates[1].phases()
    added = int(selector().added_up(split[0], CHIPS).cycles[0])
    assert added > 0
    # 112 messages fewer at 100 cycles pay for one phase more and its addition.
    for phase, phases in ((11_200 - added - 1, 2), (11_200 - added, 1)):
        slow = selector(phase=phase, message=100)
        assert len(fastest(slow, Pattern.SCATTER)) == phases


def test_chips_add_the_partial_sums_that_they_received_in_activations() -> None:
    sent = MessageTable.of([(1, 0, 640), (2, 0, 640)])
    compute = selector().added_up(Phase(sent, adds=True), CHIPS[:3])
    # 640 bytes are 320 numbers of two bytes; the chip has a partial sum of its own.
    work = adding(320, 16, 3)
    assert compute.works[0] == work
    assert compute.cycles.tolist() == [work_cycles(MACHINE.chip, work), 0, 0]
    assert not selector().added_up(Phase(sent), CHIPS[:3]).cycles.any()


def one_train_each(repeats: int, *rows: tuple[int, int]) -> str:
    """Return the form selected from forms of so many cycles and trains."""

    class Timed:
        def transport(self, messages: MessageTable) -> Transport:
            cycles, trains = messages.payload_bytes.tolist()
            many = np.zeros(trains, dtype=np.int64)
            return replace(trainless(cycles), link=many)

    def phases(cycles: int, trains: int) -> tuple[Phase, ...]:
        return (Phase(MessageTable.of([(0, 1, cycles), (1, 0, trains)])),)

    made = [
        Candidate(Algorithm.RING, f"form {row[0]}", 1, 2, partial(phases, *row))
        for row in rows
    ]
    chosen = ExchangeSelector(MACHINE, Timed(), repeats=repeats).selected(made)
    return chosen[0].candidate.form


def test_a_schedule_that_fills_the_memory_costs_as_much_as_half_as_much_again() -> None:
    many = MOST_TRAINS // 100
    assert one_train_each(1, (1_000, many), (1_500, 0)) == "form 1000"
    # A hundred such exchanges fill the memory.
    assert one_train_each(99, (1_000, many), (1_500, 0)) == "form 1000"
    assert one_train_each(101, (1_000, many), (1_500, 0)) == "form 1500"


def test_a_token_has_two_exchanges_around_each_half_of_a_layer() -> None:
    assert token_exchanges(80) == 320


@pytest.mark.parametrize(
    ("chips", "most"),
    [(16, 2_169), (24, 1_909), (64, 1_828), (72, 1_828), (144, 2_434)],
)
@pytest.mark.parametrize("kind", ["all-gather", "reduce-scatter"])
def test_a_token_exchanges_as_fast_as_the_collective_on_its_own(
    chips: int, most: int, kind: str
) -> None:
    topology = select_topology(chips)
    members = np.arange(chips, dtype=np.int64)
    size = 16_384
    alone = compile_collective(topology, MACHINE, kind, members, payload_bytes=size)
    pattern = Pattern.GATHER if kind == "all-gather" else Pattern.SCATTER
    shards = np.diff(np.arange(chips + 1) * size // chips)
    whole = Exchange(kind, pattern, shards, np.zeros_like(members))

    def network_cycles(guard_cycles: int) -> int:
        timing = link_timing(topology, MACHINE, guard_cycles)
        transfers = MessageScheduler(topology, MACHINE, Routes(topology), timing)
        candidates = exchange_candidates(topology, whole, members)
        chosen = ExchangeSelector(MACHINE, transfers).selected(candidates)[0]
        return sum(
            transfers.transport(each.messages).duration_cycles for each in chosen.phases
        )

    assert network_cycles(alone.program.guard_cycles) == alone.network_cycles
    # What the faster of two separate compilers took with a guard band of 4 cycles.
    assert network_cycles(4) <= most
