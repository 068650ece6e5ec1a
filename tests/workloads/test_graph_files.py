import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.model import ModelSpec
from workloads.graph_files import (
    graph_content,
    graph_from,
    is_graph_file,
    load_graph,
)
from workloads.model_graph import graph_of

Tiny = Callable[..., ModelSpec]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_is_the_same_once_written_and_read(family: str, tiny: Tiny) -> None:
    graph = graph_of(tiny(family), context=9, batch=2, query_tokens=3)
    text = json.dumps(graph_content(graph))
    assert graph_from(json.loads(text), "graph.json") == graph


def test_layers_of_a_kind_are_written_once(tiny: Tiny) -> None:
    graph = graph_of(tiny("llama", num_hidden_layers=40), context=9, batch=1)
    content = graph_content(graph)
    assert [block["name"] for block in content["blocks"]] == [
        "embedding",
        "attention",
        "feed_forward",
        "head",
    ]
    assert content["blocks"][1]["layers"] == list(range(40))
    # Defaults are left out.
    assert "role" not in content["blocks"][1]["tensors"][1]


def test_a_file_is_a_graph_by_its_blocks(tiny: Tiny, tmp_path: Path) -> None:
    graph = graph_of(tiny("gpt2"), context=9, batch=1)
    path, other = tmp_path / "graph.json", tmp_path / "other.toml"
    path.write_text(json.dumps(graph_content(graph)), encoding="utf-8")
    other.write_text("name = 'mlp'\n", encoding="utf-8")
    assert is_graph_file(path)
    assert not is_graph_file(other)
    assert not is_graph_file(tmp_path / "none.json")
    assert load_graph(path) == graph


def _attention(content: Any) -> Any:
    return content["blocks"][1]


def _operator(content: Any, function: str) -> Any:
    """Return the first operator of a function in a graph's attention."""
    operators = _attention(content)["operators"]
    return next(each for each in operators if each["function"] == function)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("rows"), "g: the key 'rows' is missing"),
        (lambda c: c.update(block=1), "g: there is no key 'block'"),
        (lambda c: c.update(blocks=3), "g: blocks must be tables"),
        (lambda c: c["rows"].update(batch="two"), "g: rows: batch: input should be"),
        (lambda c: c["rows"].update(batch=0), "rows: batch = 0; it is at least 1"),
        (
            lambda c: c["rows"].update(context=-1),
            "rows: answer_tokens = 1, query_tokens = 1, context = -1; each is at least",
        ),
        (lambda c: c.update(name=5), "g: name: input should be a valid string"),
        (
            lambda c: _attention(c).update(layers=[0, None]),
            "block attention: layers: 1: input should be a valid integer",
        ),
        (
            lambda c: _attention(c)["operators"][0].update(function=[]),
            "no function [] is known; ",
        ),
        (
            lambda c: _attention(c)["operators"][0].update(inputs=[]),
            "reads nothing or makes nothing",
        ),
        (
            lambda c: _operator(c, "scores")["attributes"].update(heads=0),
            "heads = 0; it is at least 1",
        ),
        (
            lambda c: _attention(c)["tensors"][0].pop("rows"),
            "block attention: tensor: the key 'rows' is missing",
        ),
        (
            lambda c: _attention(c)["operators"][0].update(function="norm"),
            "no function 'norm' is known; ",
        ),
        (
            lambda c: _attention(c)["operators"][0].pop("attributes"),
            "function norm_weigh needs NormAttributes",
        ),
        (
            lambda c: _attention(c)["operators"][0]["attributes"].update(eps=1),
            "attributes: there is no key 'eps'; ",
        ),
        (
            lambda c: _attention(c)["operators"][1].update(inputs=["nothing"]),
            "tensor 'nothing' is not declared",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
    change: Callable[[Any], object], message: str, tiny: Tiny
) -> None:
    graph = graph_of(tiny("llama"), context=9, batch=1)
    content = json.loads(json.dumps(graph_content(graph)))
    change(content)
    with pytest.raises(SpecError) as error:
        graph_from(content, "g")
    assert message in str(error.value)
