"""Comparing a model's parameters with the index of a checkpoint that lies beside it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from specs.errors import SpecError
from specs.validation import read_mapping

INDEX_NAME = "model.safetensors.index.json"

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1}
# Buffers that are no parameters, such as rotary frequencies, are far below this.
_TOLERANCE = 1e-3


def check_checkpoint(
    folder: Path, config: Mapping[str, Any], parameters: Collection[int]
) -> None:
    """Refuse a config whose parameters are not those of the checkpoint beside it.

    A folder without ``model.safetensors.index.json`` passes, as does a quantised
    checkpoint, whose bytes do not tell its parameters.

    Parameters
    ----------
    folder
        Where the config lies.
    config
        Its content: ``dtype`` or ``torch_dtype`` says what a parameter takes.
    parameters
        Numbers of parameters that the checkpoint may have.

    Raises
    ------
    SpecError
        If the index counts more than 0.1 % more or fewer than all of `parameters`.
    """
    path = folder / INDEX_NAME
    if not path.exists() or "quantization_config" in config:
        return
    held = _held(read_mapping(path), config)
    if held is None:
        return
    if all(abs(held - count) > _TOLERANCE * count for count in parameters):
        expected = min(parameters)
        raise SpecError(
            f"{path}: the checkpoint has {held:,} parameters but the config beside it "
            f"describes {expected:,}; is one of the two of another model? Without the "
            "index the config alone counts"
        )


def _held(index: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    """Return the parameters that an index counts, None if it does not tell."""
    metadata = index.get("metadata")
    if not isinstance(metadata, dict):
        return None
    counted = metadata.get("total_parameters")
    if type(counted) is int:
        return counted
    width = _BYTES.get(str(config.get("dtype") or config.get("torch_dtype")))
    total_bytes = metadata.get("total_size")
    if width is None or not isinstance(total_bytes, int | float):
        return None
    return int(total_bytes) // width
