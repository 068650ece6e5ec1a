from math import sqrt

from specs.model import load_model
from workloads.attributes import (
    AttentionAttributes,
    CandidateAttributes,
    EmbedAttributes,
    NormAttributes,
)
from workloads.model_graph import graph_of
from workloads.operators import Function

GEMMA = load_model("gemma-2-9b")


def test_gemma_2_9b_has_its_published_weights() -> None:
    graph = graph_of(GEMMA, context=5, batch=2)
    assert graph.parameters == 9_241_705_984
    assert graph.layers == 42


def test_every_second_layer_attends_to_a_window() -> None:
    kinds = [
        (scores.attributes_as(AttentionAttributes).window, block.layers)
        for block in graph_of(GEMMA, context=5, batch=2).blocks
        for scores in block.operators
        if scores.function is Function.SCORES
    ]
    even, odd = tuple(range(0, 42, 2)), tuple(range(1, 42, 2))
    assert kinds == [(4096, even), (None, odd)]


def test_each_block_norms_its_sum_with_weights_stored_as_their_difference_from_1() -> (
    None
):
    graph = graph_of(GEMMA, context=5, batch=2)
    assert len(graph.blocks) == 5
    for block in graph.blocks[1:4]:
        behind = block.operators[-1]
        assert behind.function is Function.NORM_ADD
        assert behind.attributes_as(NormAttributes).unit_offset


def test_the_embedding_is_scaled_and_scores_and_logits_are_capped() -> None:
    operators = list(graph_of(GEMMA, context=5, batch=2).operators())
    assert operators[0].attributes_as(EmbedAttributes).scale == sqrt(3584)
    scores = next(each for each in operators if each.function is Function.SCORES)
    assert scores.attributes_as(AttentionAttributes).soft_cap == 50
    assert operators[-2].attributes_as(CandidateAttributes).soft_cap == 30
