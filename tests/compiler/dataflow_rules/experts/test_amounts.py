import numpy as np
import pytest

from compiler.dataflow_rules.experts.amounts import choosing_reductions, expert_slots
from sharding.parallelism.tensor_group import Routing
from sharding.partition.expert_routing import routed
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from specs.router import RouterScores, RouterSpec

MIXTRAL, MACHINE = load_model("mixtral-8x7b"), load_machine()


@pytest.mark.parametrize("routing", Routing)
@pytest.mark.parametrize("expert", [1, 2, 8])
def test_the_proof_asks_for_the_room_that_the_plan_has(
    routing: Routing, expert: int
) -> None:
    for batch in (1, 3, 8):
        task = Task(MIXTRAL, MACHINE, 8, 64, batch, expert=expert, routing=routing)
        slots = expert_slots(task, expert, np.array([batch]))
        assert [int(each[0]) for each in slots] == list(routed(task))


@pytest.mark.parametrize(
    ("router", "reductions"),
    [
        (RouterSpec(), 2),
        (RouterSpec(before_choice=True), 3),
        (RouterSpec(scores=RouterScores.SIGMOID), 2),
        (RouterSpec(groups=4, groups_per_token=3, group_best=2), 7),
    ],
)
def test_each_expert_of_a_token_is_a_largest_score(
    router: RouterSpec, reductions: int
) -> None:
    model = MIXTRAL.model_copy(update={"router": router})
    assert choosing_reductions(Task(model, MACHINE, 8, 64, 1)) == reductions
