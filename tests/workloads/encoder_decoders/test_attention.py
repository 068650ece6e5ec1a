from specs.encoder_decoders.reading import encoder_decoder_from_config
from specs.graph import Matmul, Role
from tests.workloads.encoder_decoders.make_transformers_values import CASES
from workloads.encoder_decoders.cross_keys import cross_keys_and_values
from workloads.encoder_decoders.decoder_attention import (
    cached_attention,
    cross_attention,
)
from workloads.encoder_decoders.decoder_token import decoder_token
from workloads.encoder_decoders.encoder_attention import query_blocks, self_attention
from workloads.encoder_decoders.encoder_pass import encoder_pass
from workloads.encoder_decoders.stack_builder import Size, StackBuilder

T5 = encoder_decoder_from_config(CASES["t5"], "t5")


def started(stack: str, rows: int) -> StackBuilder:
    builder = StackBuilder(T5, stack)
    builder.tensor("residual", Size(1, rows, 12), Role.INPUT)
    return builder


def names(builder: StackBuilder) -> list[str]:
    return [operator.name.rpartition(".")[2] for operator in builder.graph()[1]]


def test_few_positions_are_one_block_of_queries() -> None:
    assert query_blocks(4, 9) == [range(9)]


def test_blocks_of_queries_have_few_enough_scores_and_all_queries() -> None:
    blocks = query_blocks(2, 3001)
    assert [row for block in blocks for row in block] == list(range(3001))
    assert all(2 * 3001 * len(block) <= 8_010_000 for block in blocks)


def test_a_block_reads_its_own_biases() -> None:
    builder = started("encoder", 9)
    builder.tensor("bias", Size(4, 9, 9), Role.INPUT)
    made = self_attention(builder, 0, "residual", 9, ["bias"])
    assert made == "encoder.layers.0.attention.output"
    assert [o.reads[1] for o in builder.graph()[1] if "bias" in o.reads] == ["bias"]


def test_a_token_joins_its_cache_before_it_attends_to_it() -> None:
    builder = started("decoder", 1)
    cached_attention(builder, 0, "residual", 6, None)
    order = names(builder)
    assert order.count("append") == 2
    assert order.index("scores") > len(order) - order[::-1].index("append") - 1


def test_cross_attention_multiplies_with_the_states_of_the_other_pass() -> None:
    builder = started("decoder", 1)
    cross_attention(builder, 2, "residual", 9)
    products = [o for o in builder.graph()[1] if isinstance(o, Matmul)]
    assert [product.right for product in products[1:3]] == [
        "cross.layers.2.keys",
        "cross.layers.2.values",
    ]


def test_cross_keys_and_values_are_results_without_biases_in_t5() -> None:
    builder = started("encoder", 9)
    builder.turn_to("decoder")
    cross_keys_and_values(builder, 1, "residual", 9)
    assert names(builder) == ["product", "keys", "product", "values"]


def test_sizes_of_what_one_pass_makes_are_those_that_the_other_reads() -> None:
    made = {t.name: t for t in encoder_pass(T5, 9)[0] if t.role is Role.OUTPUT}
    read = {t.name: t for t in decoder_token(T5, 4, 9)[0] if t.name in made}
    assert set(made) == set(read)
    assert {n: t.shape for n, t in made.items()} == {
        n: t.shape for n, t in read.items()
    }
