"""Quantisation of a checkpoint: what a config's ``quantization_config`` stores how.

Norms, biases, routers and embedding tables are never quantised; they have the config's
``dtype``. Layers may differ, matrices of a group in one layer may not; a config that
wants otherwise is refused. Each of its keys is understood, or names what is not.

Sources: Hugging Face transformers 4.57, ``utils/quantization_config.py`` and
``quantizers/`` (awq, bitsandbytes, fbgemm_fp8, fp8, gptq, mxfp4); GPTQModel 2.2,
``quantization/config.py`` (dynamic); compressed-tensors 0.12, ``quantization/
quant_args.py``.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from specs.errors import SpecError, nearest
from specs.formats import Format
from specs.model_formats import ModelFormats
from specs.quantization_methods import METHODS
from specs.quantization_rules import QuantizationError, Rules
from specs.quantized_modules import formats_of_groups
from specs.transformer_shape import TransformerShape
from specs.weight_formats import WeightFormat

KEY = "quantization_config"
_DTYPES = {
    "float32": Format.FP32,
    "float16": Format.FP16,
    "bfloat16": Format.BF16,
}


class Quantization(NamedTuple):
    """Quantisation of a model.

    Attributes
    ----------
    formats
        Formats of its weights.
    kv_cache
        Format of its KV cache, None if the checkpoint leaves it open.
    """

    formats: ModelFormats
    kv_cache: Format | None


def quantization_of(
    content: Mapping[str, Any], model: TransformerShape, origin: str
) -> Quantization | None:
    """Return a model's number formats as its config states them, None if it does not.

    Parameters
    ----------
    content
        Content of ``config.json``.
    model
        Sizes of the model.
    origin
        Origin of the content, for messages.

    Raises
    ------
    SpecError
        If a key or value of the quantisation is not understood. The message names it.
    """
    table = content.get(KEY)
    if not table:
        return None
    if not isinstance(table, Mapping):
        raise SpecError(f"{origin}: {KEY} = {table!r}: must be a table")
    method = table.get("quant_method")
    reader: Callable[[Mapping[str, Any]], Rules] | None = (
        METHODS.get(method) if isinstance(method, str) else None
    )
    if reader is None:
        raise SpecError(
            f"{origin}: {KEY}.quant_method = {method!r} is not understood; "
            f"{nearest(str(method), METHODS)}; "
            f"without {KEY} all weights have the machine's formats.weights"
        )
    others = WeightFormat(_dtype(content, origin))
    try:
        rules = reader(table)
        groups = formats_of_groups(rules, model, others)
    except QuantizationError as fault:
        raise SpecError(f"{origin}: {KEY}.{fault}") from None
    formats = ModelFormats.by_layers(str(method), groups)
    return Quantization(formats, rules.kv_cache)


def _dtype(content: Mapping[str, Any], origin: str) -> Format:
    """Return the format of the tensors that are not quantised, BF16 if not stated."""
    key = "dtype" if content.get("dtype") is not None else "torch_dtype"
    name = content.get(key)
    if name is None:
        return Format.BF16
    if not isinstance(name, str) or name not in _DTYPES:
        raise SpecError(
            f"{origin}: {key} = {name!r}: must be one of {', '.join(_DTYPES)}, the "
            "format of what is not quantised"
        )
    return _DTYPES[name]
