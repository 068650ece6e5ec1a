import numpy as np
import pytest

from specs.router import RouterScores, RouterSpec
from workloads.reference.routing import expert_weights

LN = np.log
# Softmaxes of 1/8, 2/8, 4/8 and 1/8.
LOGITS = LN(np.array([[1.0, 2, 4, 1]]))


def weights(
    router: RouterSpec, chosen: int = 2, logits: object = LOGITS
) -> list[float]:
    found = expert_weights(router, np.asarray(logits), chosen)
    return [float(weight) for weight in found[0]]


def test_a_softmax_over_the_chosen_adds_up_to_one() -> None:
    assert weights(RouterSpec()) == pytest.approx([0, 1 / 3, 2 / 3, 0])


def test_a_softmax_over_all_keeps_the_shares_of_the_others() -> None:
    router = RouterSpec(before_choice=True)
    assert weights(router) == pytest.approx([0, 1 / 4, 1 / 2, 0])


def test_normalised_weights_of_a_softmax_over_all_are_those_over_the_chosen() -> None:
    router = RouterSpec(before_choice=True, normalised=True)
    assert weights(router) == pytest.approx(weights(RouterSpec()))


def test_a_factor_multiplies_normalised_weights() -> None:
    router = RouterSpec(before_choice=True, normalised=True, scale=3.0)
    assert weights(router) == pytest.approx([0, 1, 2, 0])


def test_sigmoids_do_not_depend_on_other_experts() -> None:
    router = RouterSpec(scores=RouterScores.SIGMOID)
    # The sigmoid of ln x is x / (1 + x).
    assert weights(router) == pytest.approx([0, 2 / 3, 4 / 5, 0])


def test_a_correction_changes_the_choice_and_no_weight() -> None:
    router = RouterSpec(scores=RouterScores.SIGMOID, correction=True)
    found = expert_weights(router, LOGITS, 1, np.array([[0.0, 0, 0, 1]]))
    assert found[0].tolist() == pytest.approx([0, 0, 0, 1 / 2])


def test_experts_outside_the_best_groups_are_not_chosen() -> None:
    # The group of experts 2 and 3 has the best single one, the other the best sum.
    logits = LN([[3.0, 3, 4, 0.1]])
    single = RouterSpec(scores=RouterScores.SIGMOID, groups=2)
    assert weights(single, logits=logits)[:2] == [0, 0]
    summed = single.model_copy(update={"group_best": 2})
    assert weights(summed, logits=logits) == pytest.approx([3 / 4, 3 / 4, 0, 0])


def test_of_equal_experts_and_groups_the_first_are_chosen() -> None:
    assert weights(RouterSpec(), 1, [[2.0, 2, 2, 2]]) == [1, 0, 0, 0]
    grouped = RouterSpec(groups=2, before_choice=True)
    assert weights(grouped, 1, [[2.0, 2, 2, 2]]) == [0.25, 0, 0, 0]


def test_experts_one_after_the_other_share_with_those_near_the_best_of_the_rest() -> (
    None
):
    router = RouterSpec(scores=RouterScores.SPARSEMIXER, tolerance=0.1)
    # 9.5 is near 10, and 8.6 near 9.5; 3 is near nothing.
    found = weights(router, logits=[[10.0, 9.5, 8.6, 3]])
    first, second = 1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-0.9))
    assert found == pytest.approx([first, second, 0, 0])


def test_an_expert_that_none_is_near_counts_in_full() -> None:
    router = RouterSpec(scores=RouterScores.SPARSEMIXER)
    assert weights(router, logits=[[4.0, 3, 2, 1]]) == [1, 1, 0, 0]
