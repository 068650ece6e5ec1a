"""Workloads of the passes of encoder-decoders, by their names."""

from typing import NamedTuple

from specs.encoder_decoders.pass_names import PassName, pass_name
from specs.encoder_decoders.reading import load_encoder_decoder
from specs.encoder_decoders.shape import EncoderDecoder
from specs.errors import SpecError
from specs.graph import Operator, Tensor
from workloads.encoder_decoders.decoder_token import decoder_token
from workloads.encoder_decoders.encoder_pass import encoder_pass


class PassGraph(NamedTuple):
    """Graph of a pass of an encoder-decoder.

    Attributes
    ----------
    name
        Name of the model, and its pass.
    tensors, operators
        The workload's graph.
    model
        The model.
    """

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    model: EncoderDecoder


def graph_of_pass(text: str) -> PassGraph | None:
    """Return the workload's graph of a pass by its name, None if it is of none.

    Parameters
    ----------
    text
        Such as ``t5-small:encoder,positions=64`` or
        ``whisper.json:decoder,context=8,positions=64``.

    Raises
    ------
    SpecError
        If there is no such model, a size is wrong, or no pass is named.
    """
    named = pass_name(text)
    if named is None:
        model = load_encoder_decoder(text)
        if model is None:
            return None
        raise SpecError(
            f"workload {text!r} is an encoder-decoder, whose passes have a schedule "
            f"each: write {text}:encoder or {text}:decoder, and sizes behind it, as in "
            f"{text}:decoder,context=64,positions=128"
        )
    model = load_encoder_decoder(named.model)
    if model is None:
        raise SpecError(
            f"workload {text!r}: {named.model} is no encoder-decoder that is shipped, "
            f"nor a config.json of one (groqrack models lists all)"
        )
    return graph_of_model(model, named)


def graph_of_model(model: EncoderDecoder, named: PassName) -> PassGraph:
    """Return the workload's graph of a pass of a model.

    Parameters
    ----------
    model
        The model.
    named
        The pass; the model's name in it is not looked at.

    Raises
    ------
    SpecError
        If there are more positions than rows of a table.
    """
    positions = named.positions or model.max_encoder_positions
    context = named.context or model.max_decoder_positions
    if not model.structure.relative_positions:
        _check(model, "positions", positions, model.max_encoder_positions)
        _check(model, "context", context, model.max_decoder_positions)
    if named.stack == "encoder":
        name = f"{model.name} encoder, {positions} positions"
        return PassGraph(name, *encoder_pass(model, positions), model)
    name = f"{model.name} decoder, context {context}, {positions} positions"
    return PassGraph(name, *decoder_token(model, context, positions), model)


def _check(model: EncoderDecoder, key: str, wanted: int, most: int) -> None:
    """Check that a model has a row of its table for each of so many positions."""
    if wanted > most:
        raise SpecError(
            f"{model.name} has learned its positions, and only {most}: {key}={wanted} "
            f"is beyond them; use {key}={most} or less"
        )
