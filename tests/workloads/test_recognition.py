import json
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.model import ModelSpec, load_model, model_names
from workloads.graph_files import graph_content
from workloads.model_graph import graph_of
from workloads.operator_graph import Block, OperatorGraph
from workloads.operators import Function
from workloads.recognition import load_model_or_graph, model_of_graph

Tiny = Callable[..., ModelSpec]
# A graph does not say how long a context the model was trained for, nor the name of a
# family whose graphs are those of another.
UNKNOWN = {"family", "max_context_tokens"}
# Nor how wide a dense layer would be if there is none.
WIDTHS = {"intermediate_size", "expert_intermediate_size"}


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_model_is_recognised_by_its_graph(name: str) -> None:
    model = load_model(name)
    found = model_of_graph(graph_of(model, context=64, batch=1))
    unknown = UNKNOWN | WIDTHS
    assert found.model_dump(exclude=unknown) == model.model_dump(exclude=unknown)
    widths = [each.inner_size(0) for each in (found, model)]
    assert widths[0] == widths[1]


@given(family=st.sampled_from(sorted(FAMILIES)), data=st.data())
def test_whatever_its_sizes_a_graph_is_that_of_the_model_it_is_recognised_as(
    family: str, data: st.DataObject, tiny: Tiny
) -> None:
    plain = tiny(family)
    heads, layers = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    size, vocabulary = data.draw(st.integers(1, 40)), data.draw(st.integers(2, 50))
    # Latent attention has a key for each head.
    shared = 1 if plain.latent else 2
    model = plain.with_settings(
        {
            "layers": layers,
            "hidden_size": size,
            "intermediate_size": 2 * size + 1,
            "attention_heads": shared * heads,
            "kv_heads": heads,
            "vocabulary_size": vocabulary,
            "windowed_layers": [n for n in plain.windowed_layers if n < layers],
        }
    )
    graph = graph_of(model, context=7, batch=2)
    assert graph_of(model_of_graph(graph), context=7, batch=2) == graph


def test_a_graph_of_no_family_is_refused_with_what_differs(tiny: Tiny) -> None:
    graph = graph_of(tiny("llama"), context=9, batch=1)
    *others, dense, head = graph.blocks
    linear = tuple(
        each for each in dense.operators if each.function is not Function.ACTIVATE
    )
    with pytest.raises(SpecError, match="of the functions activate, add"):
        model_of_graph(
            graph_without_checks(graph, (*others, replace(dense, operators=linear)))
        )
    renamed = replace(head, name="end")
    with pytest.raises(SpecError, match=r"that of llama is the most similar .* block"):
        model_of_graph(replace(graph, blocks=(*others, dense, renamed)))


def graph_without_checks(
    graph: OperatorGraph, blocks: tuple[Block, ...]
) -> OperatorGraph:
    """Return a graph that could not be made, since it is not whole."""
    changed = copy(graph)
    object.__setattr__(changed, "blocks", blocks)
    return changed


def test_a_model_is_loaded_by_name_or_from_its_graph(
    tiny: Tiny, tmp_path: Path
) -> None:
    assert load_model_or_graph("gpt2") == load_model("gpt2")
    path = tmp_path / "mine.json"
    graph = graph_of(tiny("qwen3"), context=32, batch=1)
    path.write_text(json.dumps(graph_content(graph)), encoding="utf-8")
    found = load_model_or_graph(str(path))
    assert (found.name, found.family) == ("tiny-qwen3", "qwen3")
