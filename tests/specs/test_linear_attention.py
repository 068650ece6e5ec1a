import pytest
from pydantic import ValidationError

from specs.formats import Format
from specs.linear_attention import STATE_FORMAT, LinearAttention
from specs.model import ModelSpec, load_model, model_from_config

SIZES = {"key_heads": 2, "value_heads": 6, "key_dim": 3, "value_dim": 5, "kernel": 4}


def test_sizes_follow_from_heads() -> None:
    linear = LinearAttention(**SIZES)
    assert (linear.sharing, linear.key_size, linear.value_size) == (3, 6, 30)
    assert linear.convolved_size == 6 + 6 + 30
    assert linear.state_elements == 6 * 3 * 5
    assert linear.tail_elements == 3 * 42


def test_a_state_is_in_single_precision_and_inputs_as_activations_are() -> None:
    assert STATE_FORMAT is Format.FP32
    assert LinearAttention(**SIZES).state_bytes(Format.FP16) == 4 * 90 + 2 * 126


def test_weights_are_counted_by_hand() -> None:
    linear = LinearAttention(**SIZES)
    # Queries, keys, values, gates, two numbers a head, and out.
    assert linear.weights(10) == 10 * (6 + 6 + 30 + 30 + 12 + 30)
    # Four taps of each channel, rate and bias of each head, a norm.
    assert linear.vector_weights == 4 * 42 + 12 + 5


def test_value_heads_share_key_heads_evenly() -> None:
    with pytest.raises(ValidationError, match="5 value heads cannot share 2 key"):
        LinearAttention(**SIZES | {"value_heads": 5})


def test_qwen3_next_has_as_many_parameters_as_published() -> None:
    # Qwen3-Next-80B-A3B without the layer that predicts further tokens.
    config = {"model_type": "qwen3_next", "hidden_size": 2048, "num_hidden_layers": 48}
    model = model_from_config(config, name="80b")
    assert model.parameters == 79_674_391_296
    assert model.active_parameters == 3_874_929_408
    assert model.attending_layers == 12


def test_the_text_of_qwen3_5_keeps_a_state_in_three_of_four_layers() -> None:
    model = load_model("qwen3.5-27b")
    # As transformers counts it.
    assert model.parameters == 26_895_998_464
    assert [layer for layer in range(8) if not model.is_linear(layer)] == [3, 7]
    # Of 16 layers, keys and values of 4 heads.
    assert model.kv_elements == 16 * 2 * 4 * 256
    # Of 48 layers, 48 heads of 128 x 128, and 3 tokens of 10,240 channels.
    state = 48 * (4 * 48 * 128 * 128 + 2 * 3 * 10_240)
    assert model.state_bytes(Format.FP16) == state
    assert load_model("qwen3-8b").state_bytes(Format.FP16) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"linear": None}, "needs its sizes, and layers that have it"),
        ({"linear_layers": ()}, "needs its sizes, and layers that have it"),
        ({"layers": 1}, "all 1 layers have linear attention"),
        ({"unrotated_layers": (1,)}, "beside latents, windows or layers without"),
    ],
)
def test_linear_attention_is_beside_full_attention(
    changes: dict[str, object], message: str, linear_model: ModelSpec
) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelSpec.model_validate(linear_model.model_dump() | changes)
