import pytest

from chip.dataflow import Value
from compiler.collectives.exchange_selection import MOST_TRAINS
from compiler.passes.graph_pass import graph_pass
from sharding.workloads.workload_plan import WorkloadPlan
from specs.errors import ScheduleError
from topologies.selection import select_topology


def test_each_stage_is_a_block_that_gathers_what_it_is_the_first_to_read_whole(
    products: WorkloadPlan,
) -> None:
    planned = graph_pass(products)
    assert [stage.chips.tolist() for stage in planned.stages] == [[0, 1], [2, 3]]
    names = [
        [[each.name for each in block.operators()] for block in stage.blocks]
        for stage in planned.stages
    ]
    assert names == [[["p0", "x1", "p1"]], [["x2", "p2", "x3", "p3"]]]
    # x1, x2 and x3; the parts of the output stay where they are made.
    assert planned.exchanges == 3


def test_members_send_their_halves_of_what_crosses_into_the_next_stage(
    products: WorkloadPlan,
) -> None:
    planned = graph_pass(products)
    first, second = planned.stages
    # 32 of 64 columns of 16 rows in FP16.
    assert list(planned.transfer(first, second)) == [(0, 2, 1024), (1, 3, 1024)]
    (half,) = planned.transferred(second)
    assert (half.value, half.member.tolist()) == ("x2", [0, 1])
    assert (half.first.tolist(), half.last.tolist()) == ([0, 512], [512, 1024])


def test_weights_alone_stay_from_iteration_to_iteration(products: WorkloadPlan) -> None:
    (block,) = graph_pass(products).stages[0].blocks
    scope = block.scope(0, True)
    assert scope.value("w0") == Value("w0", -1)
    assert scope.value("x1") == Value("x1", 0)


def test_an_iteration_returns_nothing_and_knows_no_trains_ahead(
    products: WorkloadPlan,
) -> None:
    planned = graph_pass(products)
    assert (len(planned.returned), planned.returned_operands()) == (0, ())
    assert planned.least_trains(select_topology(4)) == 0
    assert planned.cuts_phases


def test_more_trains_than_memory_holds_are_refused(products: WorkloadPlan) -> None:
    planned = graph_pass(products)
    planned.check_trains(MOST_TRAINS)
    with pytest.raises(ScheduleError, match=r"^products as column=2.* 6,000,001 train"):
        planned.check_trains(MOST_TRAINS + 1)
