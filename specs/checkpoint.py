"""Checkpoint check: the parameters of a model against the index of its checkpoint."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from specs.errors import SpecError
from specs.validation import read_mapping

INDEX_NAME = "model.safetensors.index.json"

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1}
# Buffers that are not parameters, such as rotary frequencies, are far below this.
_TOLERANCE = 1e-3


def check_checkpoint(
    folder: Path, config: Mapping[str, Any], parameters: Collection[int]
) -> None:
    """Refuse a model config whose parameters differ from the checkpoint's beside it.

    A folder without ``model.safetensors.index.json`` passes. So does a quantised
    checkpoint, since its size does not give its parameters.

    Parameters
    ----------
    folder
        Folder of the config.
    config
        Content of the config; ``dtype`` or ``torch_dtype`` gives the bytes of a
        parameter.
    parameters
        Parameter counts that the checkpoint may have.

    Raises
    ------
    SpecError
        If the count of the index differs from each of `parameters` by more than 0.1 %.
    """
    path = folder / INDEX_NAME
    if not path.exists() or "quantization_config" in config:
        return
    count = _indexed_parameters(read_mapping(path), config)
    if count is None:
        return
    if all(abs(count - each) > _TOLERANCE * each for each in parameters):
        expected = min(parameters)
        raise SpecError(
            f"{path}: the checkpoint has {count:,} parameters but the config beside it "
            f"describes {expected:,}; is one of the two of another model? Without the "
            "index the config alone counts"
        )


def _indexed_parameters(
    index: Mapping[str, Any], config: Mapping[str, Any]
) -> int | None:
    """Return the parameter count of a checkpoint's index file, None if not given."""
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
