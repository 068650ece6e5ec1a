from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from specs.errors import SpecError
from specs.graph import Matmul
from workloads.onnx_files.nodes.attention import ATTENTION_NODES

Compared = Callable[..., Any]
# Two samples of four query heads and two of keys, three queries, five positions.
APART = [(2, 4, 3, 8), (2, 2, 5, 8), (2, 2, 5, 6)]
TOGETHER = [(2, 3, 32), (2, 5, 16), (2, 5, 12)]
HEADS = {"q_num_heads": 4, "kv_num_heads": 2}


@pytest.mark.parametrize("causal", [0, 1])
def test_attention_is_that_of_onnx(compared: Compared, causal: int) -> None:
    assert set(ATTENTION_NODES) == {"Attention"}
    compared("Attention", APART, given=3, is_causal=causal, scale=0.3)
    compared("Attention", TOGETHER, given=3, is_causal=causal, **HEADS)
    compared("Attention", APART, given=3, softcap=2.0)


@pytest.mark.parametrize("mask", [(3, 5), (4, 3, 5), (2, 1, 3, 5), (2, 4, 3, 5)])
def test_masks_of_any_shape_are_those_of_onnx(
    compared: Compared, mask: tuple[int, ...]
) -> None:
    compared("Attention", [*APART, mask], given=4)
    compared("Attention", [*APART, mask], given=3, is_causal=1)
    kept = np.random.default_rng(1).random(mask) < 0.7
    kept[..., 0] = True
    compared("Attention", APART, kept, given=4)


@pytest.mark.parametrize("causal", [0, 1])
def test_a_row_of_which_all_is_masked_is_nothing(
    compared: Compared, causal: int
) -> None:
    kept = np.ones((3, 5), bool)
    # The first query sees later keys alone, which it must not if it is causal.
    kept[0, :2], kept[2] = False, False
    compared("Attention", APART, kept, given=4, is_causal=causal)
    compared("Attention", APART, kept, given=3, is_causal=causal)


def test_keys_of_the_past_come_before_new_ones(compared: Compared) -> None:
    past = [(2, 2, 4, 8), (2, 2, 4, 6)]
    mask = np.zeros((3, 9), np.float32)
    shapes = [*APART]
    random = np.random.default_rng(2)
    cached = [random.standard_normal(shape).astype(np.float32) for shape in past]
    for causal in (0, 1):
        compared(
            *("Attention", shapes, mask, *cached),
            given=6,
            outputs=3,
            is_causal=causal,
        )


def test_query_heads_that_share_keys_are_rows_of_one_product(
    compared: Compared,
) -> None:
    read = compared("Attention", APART, given=3)
    tensors = {tensor.name: tensor for tensor in read.tensors}
    scores, values = [each for each in read.operators if isinstance(each, Matmul)]
    assert tensors[scores.left[0]].shape == "4 of 6 x 8"
    assert tensors[scores.right].shape == "4 of 8 x 5"
    assert tensors[values.right].shape == "4 of 5 x 6"


def test_what_attention_does_not_give_is_refused(compared: Compared) -> None:
    mask = np.zeros((3, 9), np.float32)
    past = [np.ones((2, 2, 4, width), np.float32) for width in (8, 6)]
    with pytest.raises(SpecError, match=r"it \(Attention\) gives out its scores"):
        compared("Attention", APART, mask, *past, given=6, outputs=4)
    short = np.zeros((3, 4), np.float32)
    with pytest.raises(SpecError, match="has a mask of 4 of 5 positions"):
        compared("Attention", APART, short, given=4)
