import pytest

from compiler.search.objective import Cost, Objective, cost_of
from sharding.parallelism.strategy import Strategy

NARROW = Strategy(tensor=2, pipeline=3)
WIDE = Strategy(tensor=3, pipeline=2)


@pytest.mark.parametrize(
    ("objective", "cost"),
    [
        (Objective.LATENCY, (1_000, 6)),
        (Objective.THROUGHPUT, (250.0, 1_000)),
        (Objective.CHIPS, (6, 1_000)),
        (Objective.ENERGY, (1_500.0, 1_000)),
    ],
)
def test_a_cost_begins_with_what_is_sought(
    objective: Objective, cost: tuple[float, int]
) -> None:
    # A token takes 1,000 cycles on 6 chips, and four of them share the machine.
    assert cost_of(objective, NARROW, 1_000, 250.0) == Cost(*cost, NARROW)


def test_no_two_strategies_cost_the_same() -> None:
    for objective in Objective:
        costs = [cost_of(objective, each, 1_000, 250.0) for each in (WIDE, NARROW)]
        assert min(costs).strategy == NARROW


def test_sequences_fill_the_pipeline_for_throughput_and_for_energy() -> None:
    assert [objective for objective in Objective if objective.fills] == [
        Objective.THROUGHPUT,
        Objective.ENERGY,
    ]
