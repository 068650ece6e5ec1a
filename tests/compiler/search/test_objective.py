import pytest

from chip.program import Program
from compiler.search.objective import Cost, Objective, cost_model, cost_of
from sharding.parallelism.strategy import Strategy
from sharding.weights.task import Task
from specs.machine import load_machine
from topologies.selection import select_topology

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


def test_energy_is_in_joules_where_it_is_known() -> None:
    cost = cost_of(Objective.ENERGY, NARROW, 1_000, 250.0, joules=0.5)
    assert cost == Cost(0.5, 1_000, NARROW)
    # Nothing else is sought by it.
    assert cost_of(Objective.CHIPS, NARROW, 1_000, 250.0, joules=0.5).first == 6


def test_a_program_is_made_only_if_its_energy_is_sought(small_task: Task) -> None:
    topology = select_topology(8)

    def made() -> Program:
        raise AssertionError("made for nothing")

    for objective in Objective:
        costs = cost_model(objective, small_task, topology)
        if objective is Objective.ENERGY:
            assert costs.energy is not None
        else:
            exact = costs.exact(NARROW, 1_000, 250.0, made)
            assert exact == costs.at_least(NARROW, 1_000, 250.0)
    unknown = small_task._replace(machine=load_machine("lpx"))
    costs = cost_model(Objective.ENERGY, unknown, topology)
    # As if every chip drew the same.
    assert costs.exact(NARROW, 1_000, 250.0, made).first == 6 * 250.0


def test_no_two_strategies_cost_the_same() -> None:
    for objective in Objective:
        costs = [cost_of(objective, each, 1_000, 250.0) for each in (WIDE, NARROW)]
        assert min(costs).strategy == NARROW


def test_sequences_fill_the_pipeline_for_throughput_and_for_energy() -> None:
    assert [objective for objective in Objective if objective.fills] == [
        Objective.THROUGHPUT,
        Objective.ENERGY,
    ]
