import pytest

from sharding.parallelism.tensor_group import Routing
from sharding.partition.expert_routing import Routed, routed
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model

MIXTRAL, MACHINE = load_model("mixtral-8x7b"), load_machine()


def of(expert: int, batch: int, routing: Routing) -> Routed:
    task = Task(MIXTRAL, MACHINE, 8, 64, batch, expert=expert, routing=routing)
    return routed(task)


@pytest.mark.parametrize(
    ("expert", "batch", "experts", "pairs"),
    [
        # Two of eight experts for each token.
        (1, 1, 2, 2),
        (2, 1, 2, 2),
        (4, 1, 2, 2),
        (8, 1, 1, 1),
        (1, 8, 8, 16),
        (2, 8, 4, 16),
        (8, 8, 1, 8),
    ],
)
def test_the_worst_is_that_all_tokens_choose_one_group(
    expert: int, batch: int, experts: int, pairs: int
) -> None:
    assert of(expert, batch, Routing.WORST) == (experts, pairs)


@pytest.mark.parametrize(
    ("expert", "batch", "experts", "pairs"),
    [(2, 1, 1, 1), (4, 1, 1, 1), (4, 3, 2, 2), (2, 8, 4, 8), (8, 8, 1, 2)],
)
def test_a_balanced_router_gives_each_group_its_share(
    expert: int, batch: int, experts: int, pairs: int
) -> None:
    assert of(expert, batch, Routing.BALANCED) == (experts, pairs)


@pytest.mark.parametrize(
    ("expert", "batch", "experts", "pairs"),
    [(1, 1, 8, 8), (4, 1, 2, 2), (4, 3, 2, 6)],
)
def test_all_experts_of_a_group_are_computed_for_every_token(
    expert: int, batch: int, experts: int, pairs: int
) -> None:
    assert of(expert, batch, Routing.ALL) == (experts, pairs)


def test_a_dense_layer_is_used_by_all_tokens_whatever_the_routing() -> None:
    model = MIXTRAL.model_copy(update={"expert_layers": (1,)})
    task = Task(model, MACHINE, 8, 64, 3, expert=4, routing=Routing.ALL)
    assert routed(task, 0) == (1, 3)
    assert routed(task, 1) == (2, 6)
