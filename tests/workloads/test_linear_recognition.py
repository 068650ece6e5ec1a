import pytest

from specs.model import ModelSpec
from tests.workloads.conftest import Tiny
from workloads.linear_recognition import families_like, linear_fields
from workloads.model_graph import graph_of
from workloads.recognition import model_of_graph


def test_sizes_and_layers_are_read_back(linear_model: ModelSpec) -> None:
    blocks = graph_of(linear_model, context=4, batch=1).blocks
    assert linear_fields(blocks) == {
        "linear": linear_model.linear,
        "linear_layers": (0,),
    }


def test_a_graph_without_is_of_any_family_without_latents(tiny: Tiny) -> None:
    fields = linear_fields(graph_of(tiny("llama"), context=4, batch=1).blocks)
    assert fields == {"linear": None, "linear_layers": ()}
    families = families_like({"latent": None, **fields})
    assert families.index("llama") < families.index("qwen3_5_text")
    assert "deepseek_v3" not in families


@pytest.mark.parametrize("family", ["qwen3_5_text", "qwen3_next"])
def test_the_model_of_a_graph_has_the_same_graph(family: str, tiny: Tiny) -> None:
    graph = graph_of(tiny(family), context=6, batch=2, query_tokens=2)
    found = model_of_graph(graph)
    assert found.linear == tiny(family).linear
    assert found.parameters == graph.parameters
