"""Totals of checkpoints whose configs are not shipped, to the unit."""

from typing import Any

import pytest

from specs.families.catalogue import FAMILIES
from specs.model import model_from_config

FIELDS = (
    "hidden_size",
    "intermediate_size",
    "layers",
    "attention_heads",
    "kv_heads",
    "vocabulary_size",
)
# Parameters of a checkpoint, its type, and what its config states: the numbers of
# `FIELDS`, 0 where it states none, and other keys. From Minitron on, transformers 5.23
# counts them without weights, internlm2 as a llama; the others are the totals that
# checkpoints publish.
PUBLISHED: dict[str, tuple[int, str, tuple[int, ...], dict[str, Any]]] = {
    "tiiuae/falcon-7b": (
        6_921_720_704,
        "falcon",
        (4544, 0, 32, 71, 0, 65_024),
        {"parallel_attn": True},
    ),
    "tiiuae/falcon-40b": (
        41_303_293_952,
        "falcon",
        (8192, 0, 60, 128, 8, 65_024),
        {"new_decoder_architecture": True},
    ),
    "bigscience/bloom-560m": (
        559_214_592,
        "bloom",
        (1024, 0, 24, 16, 0, 250_880),
        {},
    ),
    "bigscience/bloom-7b1": (
        7_069_016_064,
        "bloom",
        (4096, 0, 30, 32, 0, 250_880),
        {},
    ),
    "bigscience/bloom": (
        176_247_271_424,
        "bloom",
        (14_336, 0, 70, 112, 0, 250_880),
        {},
    ),
    "EleutherAI/pythia-6.9b": (
        6_857_302_016,
        "gpt_neox",
        (4096, 16_384, 32, 32, 0, 50_432),
        {},
    ),
    "EleutherAI/gpt-neox-20b": (
        20_554_567_680,
        "gpt_neox",
        (6144, 24_576, 44, 64, 0, 50_432),
        {},
    ),
    "EleutherAI/gpt-j-6b": (
        6_050_882_784,
        "gptj",
        (4096, 0, 28, 16, 0, 50_400),
        {"rotary_dim": 64},
    ),
    "microsoft/phi-2": (
        2_779_683_840,
        "phi",
        (2560, 10_240, 32, 32, 32, 51_200),
        {"partial_rotary_factor": 0.4},
    ),
    "CohereForAI/c4ai-command-r-v01": (
        34_980_831_232,
        "cohere",
        (8192, 22_528, 40, 64, 64, 256_000),
        {},
    ),
    "CohereForAI/c4ai-command-r-08-2024": (
        32_296_476_672,
        "cohere",
        (8192, 24_576, 40, 64, 8, 256_000),
        {},
    ),
    "CohereForAI/c4ai-command-r7b-12-2024": (
        8_028_033_024,
        "cohere2",
        (4096, 14_336, 32, 32, 8, 256_000),
        {"sliding_window_pattern": 4},
    ),
    "ByteDance-Seed/Seed-OSS-36B": (
        36_151_104_512,
        "seed_oss",
        (5120, 27_648, 64, 80, 8, 155_136),
        {"head_dim": 128},
    ),
    "the text of Qwen/Qwen2.5-VL-7B-Instruct": (
        7_615_616_512,
        "qwen2_5_vl_text",
        (3584, 18_944, 28, 28, 4, 152_064),
        {},
    ),
    "the text of Qwen/Qwen3-VL-8B-Instruct": (
        8_190_735_360,
        "qwen3_vl_text",
        (4096, 12_288, 36, 32, 8, 151_936),
        {},
    ),
    "baidu/ERNIE-4.5-0.3B": (
        360_748_032,
        "ernie4_5",
        (1024, 3072, 18, 16, 2, 103_424),
        {"head_dim": 128},
    ),
    "THUDM/glm-4-9b-hf": (
        9_399_951_360,
        "glm",
        (4096, 13_696, 40, 32, 2, 151_552),
        {"head_dim": 128},
    ),
    "kyutai/helium-1-preview-2b": (
        2_172_643_840,
        "helium",
        (2560, 7040, 24, 20, 20, 48_000),
        {},
    ),
    "allenai/OLMoE-1B-7B-0924": (
        6_919_161_856,
        "olmoe",
        (2048, 1024, 16, 16, 16, 50_304),
        {"num_experts": 64, "num_experts_per_tok": 8},
    ),
    "ibm-granite/granite-3.0-1b-a400m": (
        1_334_628_352,
        "granitemoe",
        (1024, 512, 24, 16, 8, 49_155),
        {
            "num_local_experts": 32,
            "num_experts_per_tok": 8,
            "tie_word_embeddings": True,
        },
    ),
    "LGAI-EXAONE/EXAONE-4.0-1.2B": (
        1_279_391_488,
        "exaone4",
        (2048, 4096, 30, 32, 8, 102_400),
        {"sliding_window": None, "tie_word_embeddings": True},
    ),
    "LGAI-EXAONE/EXAONE-4.0-32B": (
        32_003_216_384,
        "exaone4",
        (5120, 27_392, 64, 40, 8, 102_400),
        {"head_dim": 128},
    ),
    "nvidia/Minitron-4B": (
        4_190_509_056,
        "nemotron",
        (3072, 9216, 32, 24, 8, 256_000),
        {"head_dim": 128},
    ),
    "tiiuae/falcon-11B": (
        11_102_822_400,
        "falcon",
        (4096, 16_384, 60, 32, 8, 65_024),
        {
            "new_decoder_architecture": True,
            "num_ln_in_parallel_attn": 1,
            "tie_word_embeddings": False,
        },
    ),
    "arcee, of the shape of AFM-4.5B": (
        4_619_189_760,
        "arcee",
        (2560, 18_432, 36, 20, 4, 128_005),
        {},
    ),
    "internlm/internlm2-1_8b": (
        1_889_110_016,
        "internlm2",
        (2048, 8192, 24, 16, 8, 92_544),
        {"bias": False},
    ),
    "internlm/internlm2-7b": (
        7_737_708_544,
        "internlm2",
        (4096, 14_336, 32, 32, 8, 92_544),
        {"bias": False},
    ),
    "internlm/internlm2-20b": (
        19_861_149_696,
        "internlm2",
        (6144, 16_384, 48, 48, 8, 92_544),
        {"bias": False},
    ),
    "stablelm with parallel blocks": (
        12_142_929_920,
        "stablelm",
        (5120, 13_824, 40, 32, 8, 100_352),
        {"use_parallel_residual": True},
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_public_config_has_as_many_parameters_as_its_checkpoint(name: str) -> None:
    parameters, family, sizes, others = PUBLISHED[name]
    keys = FAMILIES[family].keys
    stated = {
        getattr(keys, field)[0]: size
        for field, size in zip(FIELDS, sizes, strict=True)
        if size
    }
    config = {"model_type": family, **stated, **others}
    assert model_from_config(config, name="public").parameters == parameters
