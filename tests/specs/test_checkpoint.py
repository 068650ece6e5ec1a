import json
from pathlib import Path
from typing import Any

import pytest

from specs.checkpoint import INDEX_NAME, check_checkpoint
from specs.errors import SpecError
from specs.model import load_model

# 3 layers of 752, a norm of 8, and two tables of 800.
PARAMETERS = 3 * 752 + 8 + 2 * 800
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "torch_dtype": "bfloat16",
}

AWQ = {"quant_method": "awq", "bits": 4, "group_size": 8}


def folder_with(folder: Path, metadata: object, **changes: object) -> Path:
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    (folder / INDEX_NAME).write_text(json.dumps({"metadata": metadata}))
    return folder


@pytest.mark.parametrize(
    "metadata",
    [
        {"total_size": 2 * PARAMETERS},
        {"total_size": float(2 * PARAMETERS)},
        {"total_size": 1, "total_parameters": PARAMETERS},
        {},
        None,
    ],
)
def test_an_index_that_agrees_or_does_not_tell_passes(
    tmp_path: Path, metadata: object
) -> None:
    assert load_model(folder_with(tmp_path, metadata)).parameters == PARAMETERS


def test_an_index_of_another_model_is_refused_with_both_counts(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"total_size": 2 * 9_999})
    with pytest.raises(SpecError, match=r"has 9,999 parameters .* describes 3,864;"):
        load_model(folder)


def test_a_tied_head_may_be_stored_twice(tmp_path: Path) -> None:
    twice = folder_with(
        tmp_path, {"total_size": 2 * PARAMETERS}, tie_word_embeddings=True
    )
    assert load_model(twice).parameters == PARAMETERS - 800
    once = folder_with(
        tmp_path, {"total_size": 2 * (PARAMETERS - 800)}, tie_word_embeddings=True
    )
    assert load_model(once).parameters == PARAMETERS - 800


@pytest.mark.parametrize(
    "changes",
    [
        {"torch_dtype": None},
        {"quantization_config": AWQ},
        {"model_type": "bert"},
    ],
)
def test_bytes_that_do_not_tell_the_parameters_are_not_compared(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    folder = folder_with(tmp_path, {"total_size": 7}, **changes)
    assert load_model(folder).layers == 3


@pytest.mark.parametrize(
    ("dtype", "width"), [("float32", 4), ("bfloat16", 2), ("float8_e4m3fn", 1)]
)
def test_a_count_may_differ_by_a_thousandth(
    tmp_path: Path, dtype: str, width: int
) -> None:
    config = {"dtype": dtype}
    for held, passes in ((999, True), (1001, True), (998, False), (1002, False)):
        folder_with(tmp_path, {"total_size": width * held})
        if passes:
            check_checkpoint(tmp_path, config, [7, 1000])
        else:
            with pytest.raises(SpecError, match=f"has {held:,} .* describes 7;"):
                check_checkpoint(tmp_path, config, [7, 1000])


def test_a_folder_without_an_index_passes(tmp_path: Path) -> None:
    check_checkpoint(tmp_path, CONFIG, [1])
