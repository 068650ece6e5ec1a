import numpy as np

from chip.operator_cycles import work_cycles
from chip.operator_work import LookupWork
from sharding.operators.operators import Unit, compute
from specs.machine import load_machine

CHIP = load_machine().chip


def test_chips_with_equal_amounts_share_one_evaluation() -> None:
    evaluated = []

    def work_of(amount: int) -> LookupWork:
        evaluated.append(amount)
        return LookupWork(amount)

    embed = compute("embed", Unit.LOOKUP, CHIP, work_of, np.array([640, 0, 640, 320]))
    assert sorted(evaluated) == [0, 320, 640]
    assert (embed.name, embed.unit) == ("embed", Unit.LOOKUP)
    assert embed.works == tuple(map(LookupWork, (640, 0, 640, 320)))
    assert embed.cycles.tolist() == [work_cycles(CHIP, work) for work in embed.works]
    assert embed.cycles[1] == 0
    assert embed.least_cycles.tolist() == embed.cycles.tolist()


def test_work_of_a_chip_is_made_of_one_amount_of_each_column() -> None:
    def work_of(rows: int, columns: int) -> LookupWork:
        return LookupWork(rows * columns)

    columns = np.array([2, 3]), np.array([5, 7])
    embed = compute("embed", Unit.LOOKUP, CHIP, work_of, *columns)
    assert embed.works == (LookupWork(10), LookupWork(21))


def test_rows_of_any_amounts_are_told_apart() -> None:
    largest = 2**61
    columns = (
        np.array([0, largest, 0, 5]),
        np.array([7, 7, 7, 7]),
        np.array([largest, 0, largest, 0]),
        np.array([-1, 3, -1, 3]),
    )

    def work_of(*amounts: int) -> LookupWork:
        return LookupWork(sum(amounts))

    embed = compute("embed", Unit.LOOKUP, CHIP, work_of, *columns)
    expected = (largest + 6, largest + 10, largest + 6, 15)
    assert embed.works == tuple(map(LookupWork, expected))
