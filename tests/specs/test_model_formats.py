from specs.model import load_model
from specs.model_formats import ModelFormats, WeightGroup
from specs.quantized_modules import groups_in
from specs.weight_formats import parse_weight_format

MXFP4 = parse_weight_format("mxfp4")


def test_a_uniform_model_has_one_format_in_every_group() -> None:
    formats = ModelFormats.uniform(MXFP4)
    assert {formats.of(group) for group in WeightGroup} == {MXFP4}
    assert formats.described(tuple(WeightGroup)) == "mxfp4"


def test_formats_are_described_by_the_groups_that_a_model_has() -> None:
    model = load_model("qwen2.5-72b-awq")
    assert model.formats is not None
    assert model.formats.described(groups_in(model)) == (
        "embedding, head, others bf16; attention, feed-forward int4:128:zero"
    )


def test_a_setting_overrides_the_formats_of_a_checkpoint() -> None:
    model = load_model("qwen3-32b-fp8")
    assert model.in_formats_of(["formats.weights", "link.ber"]).formats is None
    assert model.in_formats_of(["formats.kv_cache"]).formats == model.formats
    # Sizes that are set leave them as they are.
    assert model.with_settings({"layers": 2}).formats == model.formats
