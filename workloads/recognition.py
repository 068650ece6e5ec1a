"""Recognition of a model: the one whose operator graph a graph is, if there is one."""

from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path
from typing import TypeVar

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.model import ModelSpec, load_model
from specs.numerical_settings import NumericalSettings
from specs.validation import build
from workloads.attributes import (
    AddAttributes,
    AttentionAttributes,
    CandidateAttributes,
    EmbedAttributes,
    HeadNormAttributes,
    NormAttributes,
    PositionAttributes,
    TablesAttributes,
)
from workloads.feed_forward_attributes import ActivateAttributes
from workloads.feed_forward_recognition import feed_forward_sizes
from workloads.graph_files import is_graph_file, load_graph
from workloads.linear_recognition import families_like, linear_fields
from workloads.model_graph import graph_of
from workloads.operator_graph import Block, OperatorGraph
from workloads.operators import Function, GraphOperator
from workloads.rotary import Rotary

A = TypeVar("A")


def load_model_or_graph(name_or_path: str) -> ModelSpec:
    """Return a model by name, by its ``config.json``, or by a graph file of it.

    Raises
    ------
    SpecError
        As `specs.model.load_model` and `model_of_graph` do.
    """
    path = Path(name_or_path)
    return model_of_graph(load_graph(path)) if is_graph_file(path) else load_model(path)


def model_of_graph(graph: OperatorGraph) -> ModelSpec:
    """Return the model spec whose graph a workload's graph is.

    Its sizes and settings are read from the graph. It is that of the first family whose
    graph of them is the very same.

    Parameters
    ----------
    graph
        A graph without number formats, which are the machine's.

    Raises
    ------
    SpecError
        If it is the graph of no family; the message names what differs from that of the
        most similar one.
    """
    reader = _Reader(graph)
    sizes = reader.sizes()
    differences: dict[str, Sequence[str]] = {}
    for family in families_like(sizes):
        own_sizes = {**sizes, "family": family, "numerics": reader.settings(family)}
        model = build(ModelSpec, own_sizes, graph.name)
        rows = graph.rows
        try:
            own = graph_of(
                model,
                context=rows.context,
                batch=rows.batch,
                query_tokens=rows.query_tokens,
                answer_tokens=rows.answer_tokens,
            )
        except SpecError:
            continue
        if own == graph:
            return model
        differences[family] = _differences(graph, own)
    family, names = min(differences.items(), key=lambda item: len(item[1]))
    raise SpecError(
        f"{graph.name}: no family has this graph; that of {family} is the most similar "
        f"and differs in {len(names)} tensors and operators, first in {names[0]}"
    )


def _differences(graph: OperatorGraph, other: OperatorGraph) -> list[str]:
    """Return the names of what is not the same in two graphs."""
    own, others = _parts(graph), _parts(other)
    names = [name for name in own | others if own.get(name) != others.get(name)]
    return names or ["the order of operators"]


def _parts(graph: OperatorGraph) -> dict[str, object]:
    """Return all parts of a graph by name."""
    parts: dict[str, object] = {}
    for block in graph.blocks:
        parts[f"block {block.name}"] = block.layers, block.hands_on
        parts |= {tensor.name: tensor for tensor in block.tensors}
        parts |= {operator.name: operator for operator in block.operators}
    return parts


class _Reader:
    """Reader of the sizes of a transformer's graph."""

    def __init__(self, graph: OperatorGraph) -> None:
        self._graph = graph
        self._tensors = {t.name: t for block in graph.blocks for t in block.tensors}

    def _blocks(self, *functions: Function) -> list[Block]:
        """Return the blocks with operators of all of some functions."""
        found = [
            block
            for block in self._graph.blocks
            if {each.function for each in block.operators} >= set(functions)
        ]
        if not found:
            raise SpecError(
                f"{self._graph.name}: no block has operators of the functions "
                f"{', '.join(functions)}; the graph of a language model has one"
            )
        return found

    def _operator(self, block: Block, function: Function) -> GraphOperator:
        """Return the first operator of a function that a block has."""
        return next(each for each in block.operators if each.function is function)

    def _attributes(self, function: Function, kind: type[A]) -> A | None:
        """Return the attributes of the first operator of a function, if any."""
        for block in self._graph.blocks:
            for each in block.operators:
                if each.function is function:
                    return each.attributes_as(kind)
        return None

    def _has(self, suffix: str) -> bool:
        return any(name.endswith(suffix) for name in self._tensors)

    def sizes(self) -> dict[str, object]:
        """Return the fields of a model spec but for its family."""
        graph = self._graph
        (embedding, *_) = self._blocks(Function.EMBED)
        lookup = self._operator(embedding, Function.EMBED)
        if lookup.inputs[-1] not in self._tensors:
            raise SpecError(f"{graph.name}: {lookup.name} looks up no table")
        table = self._tensors[lookup.inputs[-1]]
        attention = self._blocks(Function.SCORES)
        scores = self._operator(attention[0], Function.SCORES)
        heads = scores.attributes_as(AttentionAttributes)
        forwards = self._blocks(Function.ACTIVATE, Function.ADD)
        windows = {block.layers: self._window(block) for block in attention}
        windowed = [n for layers, size in windows.items() if size for n in layers]
        tables = {
            name.rpartition(".")[0].rpartition(".")[2]: self._tensors[name].rows
            for name in self._added_tables()
        }
        unused = self._attributes(Function.ADD_TABLES, TablesAttributes)
        candidate = self._attributes(Function.CANDIDATE, CandidateAttributes)
        head_norm = self._attributes(Function.HEAD_NORM, HeadNormAttributes)
        positions = tables.get("positions", 0)
        learned = positions - (unused.first_row if unused else 0)
        tied = [tensor.copy_of for tensor in self._tensors.values()]
        return {
            "name": graph.name,
            "hidden_size": table.columns,
            **feed_forward_sizes(forwards),
            "layers": graph.layers,
            "attention_heads": heads.heads,
            "kv_heads": heads.kv_heads,
            "head_dim": heads.head_dim,
            "vocabulary_size": table.rows,
            "tied_embeddings": table.name in tied,
            "max_context_tokens": learned if positions else graph.rows.context,
            "qkv_biases": self._has("attention.query.bias"),
            "output_biases": self._has("attention.output.bias"),
            "plain_head_norms": head_norm is not None and not head_norm.weighted,
            "head_biases": candidate is not None and candidate.biased,
            "position_rows": positions,
            "token_types": tables.get("token_types", 0),
            "window_tokens": max(filter(None, windows.values()), default=None),
            "windowed_layers": tuple(sorted(windowed)),
            "alibi": heads.alibi > 0,
            "unrotated_layers": ()
            if heads.alibi or positions
            else tuple(sorted(self._unrotated(attention))),
            "latent": heads.latent,
            **linear_fields(graph.blocks),
        }

    def _window(self, block: Block) -> int | None:
        scores = self._operator(block, Function.SCORES)
        return scores.attributes_as(AttentionAttributes).window

    def _rotary(self, block: Block) -> Rotary | None:
        positioned = self._operator(block, Function.POSITION)
        return positioned.attributes_as(PositionAttributes).rotary

    def _unrotated(self, blocks: Sequence[Block]) -> Iterator[int]:
        """Yield the layers that rotate nothing among those of a model that does."""
        for block in blocks:
            rotary = self._rotary(block)
            if rotary is not None and not rotary.dims:
                yield from block.layers

    def _added_tables(self) -> tuple[str, ...]:
        """Return the tables that are added to the embedding."""
        for block in self._graph.blocks:
            for each in block.operators:
                if each.function is Function.ADD_TABLES:
                    return each.inputs[1:]
        return ()

    def settings(self, family: str) -> NumericalSettings:
        """Return the numerical settings, if the graph is of a model of a family."""
        attention = self._blocks(Function.SCORES)
        scores = self._operator(attention[0], Function.SCORES)
        heads = scores.attributes_as(AttentionAttributes)
        norm = self._attributes(Function.NORM_WEIGH, NormAttributes)
        candidate = self._attributes(Function.CANDIDATE, CandidateAttributes)
        inner = self._attributes(Function.ACTIVATE, ActivateAttributes)
        added = self._attributes(Function.ADD, AddAttributes)
        embedded = self._attributes(Function.EMBED, EmbedAttributes)
        assert inner is not None
        assert added is not None
        assert embedded is not None
        (embedding, *_) = self._blocks(Function.EMBED)
        lookup = self._operator(embedding, Function.EMBED)
        hidden = self._tensors[lookup.outputs[0]].columns
        # The factor that a family has anyway is not one of the model.
        factor = sqrt(hidden) if FAMILIES[family].scaled_embedding else 1.0
        settings: dict[str, object] = {
            "norm_epsilon": norm.epsilon if norm else 0.0,
            "activation": inner.activation,
            "gate_alpha": inner.alpha,
            "gate_limit": inner.limit,
            "gate_offset": inner.offset,
            "attention_soft_cap": heads.soft_cap,
            "final_soft_cap": candidate.soft_cap if candidate else None,
            "logits_divisor": candidate.divisor if candidate else 1.0,
            "residual_scale": added.scale,
            "embedding_scale": embedded.scale / factor,
            **self._rotation(attention, heads),
            **self._growth(attention),
        }
        # The scale of latent attention follows from the scaling of frequencies.
        if heads.latent is None and heads.scale != heads.head_dim**-0.5:
            # A root and its square are not exact, and the scalar is a whole number.
            scalar = float(round(heads.scale**-2))
            exact = scalar > 0 and scalar**-0.5 == heads.scale
            key = "query_scalar" if exact else "attention_scale"
            settings[key] = scalar if exact else heads.scale
        return build(NumericalSettings, settings, self._graph.name)

    def _growth(self, blocks: Sequence[Block]) -> dict[str, object]:
        """Return the settings of queries that grow with their position, if any do."""
        for block in blocks:
            positioned = self._operator(block, Function.POSITION)
            attributes = positioned.attributes_as(PositionAttributes)
            if attributes.query_growth:
                return {
                    "query_growth": attributes.query_growth,
                    "growth_positions": attributes.growth_positions,
                }
        return {}

    def _rotation(
        self, blocks: Sequence[Block], heads: AttentionAttributes
    ) -> dict[str, object]:
        """Return the settings of the rotation, none of a model without."""
        by_window: dict[bool, Rotary] = {}
        for block in blocks:
            rotary = self._rotary(block)
            if rotary is not None and rotary.dims:
                by_window.setdefault(self._window(block) is not None, rotary)
        if not by_window:
            return {}
        local = by_window.get(True)
        rotary = by_window.get(False, local)
        assert rotary is not None
        dims = rotary.dims + (0.5 if rotary.dims < heads.head_dim else 0)
        differs = local is not None and local != rotary
        return {
            "rope_theta": rotary.theta,
            "rotary_fraction": dims / heads.head_dim,
            "rope_scaling": rotary.scaling,
            "local_rope_theta": local.theta if local and differs else None,
        }
