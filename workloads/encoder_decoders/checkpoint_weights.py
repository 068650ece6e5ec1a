"""Weights of a pass from a checkpoint, as its products take them.

The factor of scores is part of the weights and biases of queries, and that of logits
part of a head that is the table of tokens, so that neither takes time.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specs.encoder_decoders.shape import EncoderDecoder
from specs.errors import SpecError
from specs.graph import Matmul, Role
from workloads.encoder_decoders.pass_graph import PassGraph

Array = NDArray[Any]
# Output and input channels, and places of the kernel.
_CONVOLUTION_AXES = 3


def checkpoint_weights(
    graph: PassGraph, checkpoint: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the weights of a workload's pass by name, as the graph has them.

    Parameters
    ----------
    graph
        The pass.
    checkpoint
        Weights by their names in a checkpoint: matrices of outputs by inputs,
        convolutions of outputs by inputs by places.

    Raises
    ------
    SpecError
        If the checkpoint lacks one of them, or has it in another size.
    """
    model = graph.model
    multiplied = {
        operator.right for operator in graph.operators if isinstance(operator, Matmul)
    }
    tied = f"{model.structure.decoder.head}.weight" if model.tied_embeddings else ""
    factors = _factors(model)
    found = {}
    for tensor in graph.tensors:
        if tensor.role is not Role.WEIGHTS:
            continue
        name = tensor.name
        source = f"{model.structure.decoder.embedding}.weight" if name == tied else name
        if source not in checkpoint:
            raise SpecError(f"{graph.name}: the checkpoint has no {source}")
        value = np.asarray(checkpoint[source])
        if value.ndim == _CONVOLUTION_AXES:
            # Each row of the operand has the channels of one place after the other.
            value = value.transpose(2, 1, 0)
        elif name in multiplied:
            value = value.T
        if value.size != tensor.elements:
            raise SpecError(
                f"{graph.name}: {source} has {value.size:,} elements in the "
                f"checkpoint, and {tensor.elements:,} by the config"
            )
        found[name] = value.reshape(tensor.rows, tensor.columns) * factors.get(name, 1)
    return found


def _factors(model: EncoderDecoder) -> dict[str, float]:
    """Return by what weights are multiplied, by name."""
    family = model.structure
    factors: dict[str, float] = {}
    if model.tied_embeddings and family.relative_positions:
        # Of a table of tokens alone: a head of its own is trained without it.
        factors[f"{family.decoder.head}.weight"] = model.hidden_size**-0.5
    if not family.scaled_scores:
        return factors
    for names, layers, heads in (
        (family.encoder, model.encoder_layers, model.encoder_heads),
        (family.decoder, model.decoder_layers, model.decoder_heads),
    ):
        for layer in range(layers):
            for query in filter(None, (names.query, names.cross_query)):
                for kind in ("weight", "bias"):
                    name = f"{query.format(layer=layer)}.{kind}"
                    factors[name] = model.head_size(heads) ** -0.5
    return factors
