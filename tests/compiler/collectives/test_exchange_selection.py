import numpy as np
import pytest

from chip.operator_cycles import work_cycles
from chip.operator_work import adding
from compiler.collectives.exchange_phases import Phase, exchange_candidates
from compiler.collectives.exchange_selection import ExchangeSelector
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import Transport, trainless
from sharding.operators.operators import Exchange, Pattern
from specs.machine import load_machine
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
    return ExchangeSelector(RACK, MACHINE, PerMessage(phase, message), width=16)


def exchange(pattern: Pattern) -> Exchange:
    return Exchange("exchange", pattern, np.full(16, 640), np.zeros(16, dtype=np.int64))


def test_slow_phases_select_the_direct_exchange() -> None:
    assert len(selector(phase=1_000).fastest(exchange(Pattern.GATHER), CHIPS)) == 1


def test_slow_messages_select_the_exchange_by_dimension() -> None:
    # 240 messages directly; 16 between two nodes and 112 within them.
    assert len(selector(message=1_000).fastest(exchange(Pattern.GATHER), CHIPS)) == 2


def test_additions_between_phases_count_against_a_reduce_scatter() -> None:
    (_, split) = exchange_candidates(RACK, exchange(Pattern.SCATTER), CHIPS)
    added = int(selector().added_up(split[0]).cycles[0])
    assert added > 0
    # 112 messages fewer at 100 cycles pay for one phase more and its addition.
    for phase, phases in ((11_200 - added - 1, 2), (11_200 - added, 1)):
        slow = selector(phase=phase, message=100)
        assert len(slow.fastest(exchange(Pattern.SCATTER), CHIPS)) == phases


def test_a_phase_adds_partial_sums_in_activations() -> None:
    none = MessageTable.of([])
    compute = selector().added_up(Phase(none, reduced_bytes=640, summands=3))
    # 640 bytes are 320 numbers of two bytes.
    work = adding(320, 16, 3)
    assert compute.works == (work,) * 16
    assert set(compute.cycles.tolist()) == {work_cycles(MACHINE.chip, work)}


@pytest.mark.parametrize(("phases", "longest"), [((), 0), ((1,), 10), ((1, 3, 2), 30)])
def test_the_longest_phase_has_the_longest_transfer(
    phases: tuple[int, ...], longest: int
) -> None:
    made = tuple(Phase(MessageTable.of([(0, 1, 1)] * count)) for count in phases)
    assert selector(message=10).longest_cycles(made) == longest
