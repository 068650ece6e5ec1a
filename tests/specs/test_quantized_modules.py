import pytest

from specs.formats import Format
from specs.model import load_model
from specs.model_formats import ModelFormats, WeightGroup
from specs.quantization_rules import QuantizationError, Rules
from specs.quantized_modules import formats_of_groups, groups_in
from specs.weight_formats import WeightFormat, parse_weight_format

PLAIN = WeightFormat(Format.BF16)
FP8, INT4 = map(parse_weight_format, ("fp8:128x128", "int4:32"))
DENSE, MIXTURE = load_model("llama-3-8b"), load_model("mixtral-8x7b")
ATTENTION, FEED_FORWARD = WeightGroup.ATTENTION, WeightGroup.FEED_FORWARD


def quantised(*skips: str, model: object = DENSE) -> set[str]:
    rules = Rules((((("Linear",)), FP8),), skips=skips)
    found = formats_of_groups(rules, DENSE if model is DENSE else MIXTURE, PLAIN)
    return {group.value for group, stored in found.items() if stored == (FP8,)}


def test_a_dense_model_has_no_experts() -> None:
    assert WeightGroup.EXPERTS not in groups_in(DENSE)
    assert FEED_FORWARD not in groups_in(MIXTURE)
    assert quantised() == {"attention", "feed_forward"}
    assert quantised(model=MIXTURE) == {"attention", "experts"}


@pytest.mark.parametrize(
    "skip",
    [
        "self_attn",
        "model.layers.*.self_attn",
        "language_model.model.layers.*.self_attn",
        "self_attn*",
        "re:.*self_attn.*",
        r"re:model\.layers\.\d+\.self_attn\.[qkvo]_proj",
    ],
)
def test_lists_mean_modules_by_a_part_of_their_names(skip: str) -> None:
    assert quantised(skip) == {"feed_forward"}


@pytest.mark.parametrize(
    "skip",
    [
        "lm_head",
        "model.layers.0.input_layernorm",
        # A router is no projection into the gate of an expert.
        "mlp.gate",
        "model.layers.99.self_attn",
        "visual",
    ],
)
def test_lists_name_modules_that_change_no_group(skip: str) -> None:
    assert quantised(skip) == {"attention", "feed_forward"}


def test_a_list_of_every_layer_is_a_group() -> None:
    every = [f"model.layers.{n}.mlp" for n in range(DENSE.layers)]
    assert quantised(*every) == {"attention"}


@pytest.mark.parametrize(
    ("skips", "message"),
    [
        (("mlp.up_proj",), r"mlp\.up_proj in bf16; the matrices of feed_forward"),
        (
            ("re:.*(mlp",),
            r"^modules_to_not_convert: 're:\.\*\(mlp' is no regular expression",
        ),
        (("model",), r"quantises nothing of a llama model"),
    ],
)
def test_layers_that_differ_are_refused(skips: tuple[str, ...], message: str) -> None:
    with pytest.raises(QuantizationError, match=message):
        quantised(*skips)


def test_targets_are_modules_by_name_too() -> None:
    rules = Rules(((("re:.*self_attn.*",), FP8), (("Linear",), INT4)))
    found = formats_of_groups(rules, DENSE, PLAIN)
    assert (found[ATTENTION], found[FEED_FORWARD]) == ((FP8,), (INT4,))
    assert found[WeightGroup.EMBEDDING] == (PLAIN,)


def test_names_come_before_all_linear_layers_wherever_they_are_listed() -> None:
    targets = (("Linear",), INT4), ((r"re:.*layers\.[01]\.mlp.*",), None)
    found = formats_of_groups(Rules(targets), DENSE, PLAIN)
    assert found[FEED_FORWARD] == (PLAIN, PLAIN, *[INT4] * (DENSE.layers - 2))
    assert found[ATTENTION] == (INT4,)


def test_a_layer_may_differ_from_the_others() -> None:
    rules = Rules(((("Linear",), FP8),), skips=("model.layers.3.mlp",))
    found = formats_of_groups(rules, DENSE, PLAIN)
    formats = ModelFormats.by_layers("fp8", found)
    assert formats.of(FEED_FORWARD, 3) == PLAIN
    assert formats.of(FEED_FORWARD, 2) == formats.of(FEED_FORWARD, 99) == FP8
    assert formats.of(ATTENTION, 3) == FP8
    assert formats.every(FEED_FORWARD) == (FP8, PLAIN)
    assert formats.described(groups_in(DENSE)) == (
        "embedding, head, others bf16; attention fp8:128x128; "
        "feed-forward fp8:128x128 and bf16 in 1 layer"
    )
    with pytest.raises(ValueError, match="layers of feed_forward have several"):
        formats.of(FEED_FORWARD)


def test_what_depends_on_a_version_is_refused_of_mixtures() -> None:
    rules = Rules(((("Linear",), FP8),), dense=True)
    with pytest.raises(
        QuantizationError, match="mixtral has 8: which of their matrices"
    ):
        formats_of_groups(rules, MIXTURE, PLAIN)


def test_latent_attention_has_one_format_in_all_layers() -> None:
    rules = Rules(((("Linear",), FP8),), skips=("layers.3.self_attn",))
    with pytest.raises(QuantizationError, match="latent attention has one format"):
        formats_of_groups(rules, load_model("deepseek-v3"), PLAIN)


def test_matrices_of_linear_attention_are_those_of_attention() -> None:
    model = load_model("qwen3.5-27b")
    # Two projections of a few rows are left as they are in published checkpoints.
    skips = ("linear_attn.in_proj_a", "linear_attn.in_proj_b", "linear_attn.conv1d")
    rules = Rules((((("Linear",)), FP8),), skips=skips)
    assert formats_of_groups(rules, model, PLAIN)[ATTENTION] == (FP8,)
    other = Rules((((("Linear",)), FP8),), skips=("linear_attn.out_proj",))
    with pytest.raises(QuantizationError, match=r"layers\.0\.linear_attn\.out_proj in"):
        formats_of_groups(other, model, PLAIN)
