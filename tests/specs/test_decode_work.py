import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs.decode_work import attention_work, decode_work, head_work
from specs.formats import Format
from specs.model import load_model


def test_a_token_of_a_dense_model_takes_two_operations_a_weight() -> None:
    model = load_model("llama-2-70b")
    work = decode_work(model, context=1, batch=1)
    table = model.vocabulary_size * model.hidden_size
    assert work.flop == pytest.approx(2 * (model.parameters - table), rel=1e-4)
    assert work.read_bytes == pytest.approx(work.flop, rel=1e-4)
    assert work.held_bytes == pytest.approx(2 * model.parameters, rel=1e-4)


@given(batch=st.integers(1, 64), context=st.integers(1, 4096))
def test_a_batch_reads_its_weights_once_and_each_cache(
    batch: int, context: int
) -> None:
    model = load_model("llama-2-70b")
    one, many = (decode_work(model, context=context, batch=n) for n in (1, batch))
    # Llama-2-70B keeps 327,680 B a position in FP16.
    assert many.read_bytes - one.read_bytes == (batch - 1) * context * 327_680
    assert many.flop == pytest.approx(batch * one.flop)


def test_a_batch_reads_every_expert_but_a_token_multiplies_two() -> None:
    model = load_model("mixtral-8x7b")
    one, four, more = (decode_work(model, context=1, batch=n) for n in (1, 4, 16))
    assert one.flop * 16 == pytest.approx(more.flop)
    assert one.read_bytes < four.read_bytes / 3
    assert more.read_bytes == pytest.approx(four.read_bytes, rel=1e-4)


def test_narrow_weights_are_read_in_less() -> None:
    model = load_model("llama-2-7b")
    wide = decode_work(model, context=1, batch=1, kv_cache=Format.INT4)
    narrow = decode_work(
        model, context=1, batch=1, weights=Format.INT4, kv_cache=Format.INT4
    )
    assert wide.read_bytes == pytest.approx(4 * narrow.read_bytes, rel=1e-4)
    assert wide.flop == narrow.flop


def test_a_token_uses_its_experts_the_shared_one_and_the_router() -> None:
    model = load_model("qwen2-57b-a14b")
    projections = 3 * model.hidden_size
    router = model.hidden_size * (model.experts + 1)
    for used, read in ((8, 8), (64, 64), (1000, 64)):
        assert model.used_feed_forward_parameters_in(0, used) == (
            projections * (read * 2560 + 20480) + router
        )


def test_weights_of_a_checkpoint_are_read_with_their_scales() -> None:
    model = load_model("qwen3-32b-fp8")
    assert model.formats is not None
    plain = decode_work(model, context=1, batch=1, weights=Format.FP8)
    stored = decode_work(model, context=1, batch=1, weights=model.formats)
    # 64 layers with 4 bytes for 16,384 weights, and a head in BF16.
    layers, head = 64 * 487_587_840, 151_936 * 5120
    assert stored.read_bytes - plain.read_bytes == layers / 4096 + head
    # Beside them the embedding and 6.7 M elements of norms.
    rest = model.parameters - layers - head
    assert stored.held_bytes - plain.held_bytes == layers / 4096 + head + rest


@pytest.mark.parametrize("name", ["llama-2-70b", "gpt-oss-120b", "kimi-k2"])
def test_parts_of_a_step_add_up_to_it(name: str) -> None:
    model = load_model(name)
    whole = decode_work(model, context=4096, batch=3)
    attention = [
        attention_work(model, layer, context=4096, batch=3)
        for layer in range(model.layers)
    ]
    head = head_work(model, batch=3)
    used = [
        model.used_feed_forward_parameters_in(layer, model.experts_per_token)
        for layer in range(model.layers)
    ]
    parts = sum(each.flop for each in attention) + head.flop + 2 * 3 * sum(used)
    assert whole.flop == pytest.approx(parts)
    read = sum(each.read_bytes for each in attention) + head.read_bytes
    experts = min(model.experts, 3 * model.experts_per_token)
    read += 2 * sum(
        model.used_feed_forward_parameters_in(layer, experts)
        for layer in range(model.layers)
    )
    assert whole.read_bytes == pytest.approx(read)


@settings(max_examples=15)
@given(context=st.integers(1, 300), positions=st.integers(1, 300))
def test_positions_attend_to_themselves_and_those_before(
    context: int, positions: int
) -> None:
    positions = min(positions, context)
    model = load_model("gpt-oss-20b")
    work = decode_work(
        model, context=context, batch=1, positions=positions, answers=positions
    )
    ends = range(context - positions + 1, context + 1)
    alone = [decode_work(model, context=end, batch=1).flop for end in ends]
    assert work.flop == pytest.approx(sum(alone))
