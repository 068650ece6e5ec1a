import pytest

from specs.graph import Role
from specs.model import load_model
from workloads.attributes import AttentionAttributes, TablesAttributes
from workloads.model_graph import graph_of
from workloads.operator_graph import OperatorGraph
from workloads.operators import Function, GraphOperator


@pytest.fixture
def graph() -> OperatorGraph:
    """Return the graph of two sequences of five positions, all computed."""
    return graph_of(load_model("bert-base"), context=5, batch=2)


def find(graph: OperatorGraph, name: str) -> GraphOperator:
    return next(each for each in graph.operators() if each.name == name)


def test_bert_base_has_its_published_weights_pooler_included(
    graph: OperatorGraph,
) -> None:
    assert graph.parameters == 109_482_240
    assert (graph.tensor("head.weight").rows, graph.layers) == (768, 12)


def test_a_block_adds_to_its_normed_input(graph: OperatorGraph) -> None:
    for block in ("attention", "feed_forward"):
        reduce = find(graph, f"layers.3.{block}.reduce")
        assert reduce.inputs[1] == f"layers.3.{block}.input"


def test_all_positions_attend_to_each_other_and_nothing_is_kept(
    graph: OperatorGraph,
) -> None:
    scores = find(graph, "layers.0.attention.scores")
    assert not scores.attributes_as(AttentionAttributes).causal
    # Twelve heads of ten rows meet the five positions of their sequence.
    made = graph.tensor(scores.outputs[0])
    assert (made.rows, made.columns) == (12 * 10, 5)
    assert graph.of_role(Role.STATE) == ()


def test_the_first_position_of_each_sequence_is_pooled(graph: OperatorGraph) -> None:
    assert [each.name for each in graph.blocks[-1].operators] == [
        "head.norm",
        "head.scale",
        "head.pool",
        "head.activate",
    ]
    (pooled,) = graph.of_role(Role.OUTPUT)
    assert (pooled.name, pooled.rows, pooled.columns) == ("head.pooled", 2, 768)


def test_roberta_leaves_out_the_first_two_rows_of_its_position_table() -> None:
    graph = graph_of(load_model("roberta-base"), context=5, batch=2)
    tables = find(graph, "embedding.tables")
    assert tables.function is Function.ADD_TABLES
    assert tables.attributes_as(TablesAttributes).first_row == 2
    assert graph.tensor("embedding.positions.weight").rows == 2 + 512
