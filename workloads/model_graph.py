"""The operator graph of a model: operators by its family, sizes by its spec."""

from collections.abc import Callable, Mapping

from specs.errors import SpecError, nearest
from specs.formats import FormatsSpec
from specs.model import ModelSpec
from workloads.families.bert import bert_graph
from workloads.families.gemma2 import gemma2_graph
from workloads.families.gpt2 import gpt2_graph
from workloads.families.llama import llama_graph
from workloads.operator_graph import OperatorGraph
from workloads.operators import TokenRows

GraphBuilder = Callable[[ModelSpec, FormatsSpec | None, TokenRows], OperatorGraph]
# Builder of each `model_type`.
BUILDERS: Mapping[str, GraphBuilder] = {
    "bert": bert_graph,
    "gemma2": gemma2_graph,
    "gpt2": gpt2_graph,
    "llama": llama_graph,
    "mistral": llama_graph,
    "mixtral": llama_graph,
    "phi3": llama_graph,
    "qwen2": llama_graph,
    "qwen3": llama_graph,
    "roberta": bert_graph,
}


def graph_of(
    model: ModelSpec,
    formats: FormatsSpec | None = None,
    *,
    context: int,
    batch: int,
    query_tokens: int = 1,
    answer_tokens: int = 1,
) -> OperatorGraph:
    """Return the operator graph of one iteration of a model, not sharded.

    Parameters
    ----------
    model
        The model.
    formats
        Number formats of weights, activations and the KV cache; None to leave them out.
    context
        Positions of each sequence after the iteration.
    batch
        Sequences.
    query_tokens
        Positions that are computed together, the last of the context: one in a decode
        token, more in a prefill chunk. An encoder ignores it and computes all.
    answer_tokens
        The last of these positions that go through the head; an encoder ignores it.

    Raises
    ------
    SpecError
        If a count is not positive, positions are not within the context or beyond the
        position table, or the model has settings that are not modelled.
    """
    if model.structure.encoder:
        query_tokens = answer_tokens = context
    if batch < 1 or not 1 <= answer_tokens <= query_tokens <= context:
        raise SpecError(
            f"batch {batch}, answer_tokens {answer_tokens}, query_tokens "
            f"{query_tokens} and context {context} must be positive, and the last "
            "three ascending"
        )
    if model.structure.learned_positions and context > model.max_context_tokens:
        raise SpecError(
            f"{model.name}: a context of {context} is beyond the "
            f"{model.max_context_tokens} positions of its table"
        )
    builder = BUILDERS.get(model.family)
    if builder is None:
        raise SpecError(
            f"family {model.family!r} has no operator graph; "
            f"{nearest(model.family, BUILDERS)}"
        )
    rows = TokenRows(
        batch=batch,
        context=context,
        query_tokens=query_tokens,
        answer_tokens=answer_tokens,
    )
    return builder(model, formats, rows)
