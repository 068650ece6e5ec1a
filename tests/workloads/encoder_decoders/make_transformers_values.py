"""Makes transformers_values.json: what Hugging Face transformers computes.

Run from the root of the repository, where torch and transformers are installed beside
the packages of this project; they are no dependencies of its tests::

    python -m tests.workloads.encoder_decoders.make_transformers_values

Each case is a tiny configuration, whose weights follow from their names. An update of
the file is right only if a bug was found in how it is made.
"""

import hashlib
import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from workloads.reference.activations import Array

VALUES = Path(__file__).with_name("transformers_values.json")
DIGITS = 10
# Of two inputs, and of two texts behind them.
GIVEN = [[3, 0, 4, 3, 5, 9, 2, 8, 12], [6, 5, 3, 5, 8, 9, 7, 1, 0]]
TOKENS = [[0, 4, 7, 7, 1, 11], [2, 9, 3, 0, 12, 5]]
MEL_BINS = 6
T5 = {
    "model_type": "t5",
    "d_model": 12,
    "d_ff": 20,
    "d_kv": 5,
    "num_heads": 4,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "vocab_size": 13,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 6,
    "layer_norm_epsilon": 1e-3,
}
CASES: dict[str, dict[str, Any]] = {
    "t5": T5,
    "t5 with gates": T5
    | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "whisper": {
        "model_type": "whisper",
        "d_model": 12,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 20,
        "decoder_ffn_dim": 18,
        "vocab_size": 13,
        "num_mel_bins": MEL_BINS,
        "max_source_positions": 9,
        "max_target_positions": 7,
        "activation_function": "gelu",
    },
}


def drawn(name: str, shape: Sequence[int]) -> Array:
    """Return the numbers of a tensor of a checkpoint, which follow from its name."""
    digest = hashlib.sha256(name.encode()).digest()
    random = np.random.default_rng(np.frombuffer(digest, dtype="<u4").tolist())
    return random.standard_normal(tuple(shape)) / 2


def features() -> Array:
    """Return the features of two sounds: moments of one after those of the other."""
    return drawn("features", (2, 2 * len(GIVEN[0]), MEL_BINS))


def model_of(config: dict[str, Any]) -> Any:
    """Return a model of Hugging Face transformers with drawn weights."""
    torch, transformers = import_module("torch"), import_module("transformers")
    name = {"t5": "T5", "whisper": "Whisper"}[config["model_type"]]
    sizes = {
        "pad_token_id": 0,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
        "attn_implementation": "eager",
    }
    settings = getattr(transformers, f"{name}Config")(**sizes, **config)
    model = getattr(transformers, f"{name}ForConditionalGeneration")(settings)
    model = model.double().eval()
    # It computes norms and softmax of T5 in 32 bits, which has nothing to do with what
    # is compared.
    torch.Tensor.float = lambda self: self
    for module in model.modules():
        if type(module).__name__ == "T5LayerNorm":
            module.forward = lambda rows, own=module: (
                own.weight
                * rows
                * (rows.pow(2).mean(-1, keepdim=True) + own.variance_epsilon).rsqrt()
            )
    if config.get("tie_word_embeddings") is False:
        # This version ties what the published checkpoints have apart.
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    with torch.no_grad():
        for each, value in model.named_parameters():
            value.copy_(torch.from_numpy(drawn(each, value.shape)))
    return model


def main() -> None:
    """Write the values."""
    torch, transformers = import_module("torch"), import_module("transformers")
    cases = {}
    for name, config in CASES.items():
        model = model_of(config)
        given: dict[str, Any] = {"input_ids": torch.tensor(GIVEN)}
        if config["model_type"] == "whisper":
            moved = features().transpose(0, 2, 1).copy()
            given = {"input_features": torch.from_numpy(moved)}
        with torch.no_grad():
            found = model(**given, decoder_input_ids=torch.tensor(TOKENS))
        cases[name] = {
            "shapes": {
                each: list(value.shape) for each, value in model.named_parameters()
            },
            "states": _rounded(found.encoder_last_hidden_state),
            "logits": _rounded(found.logits),
        }
    t5 = import_module("transformers.models.t5.modeling_t5").T5Attention
    distances = torch.arange(-200, 201)
    buckets = {
        str(both): t5._relative_position_bucket(distances, bidirectional=both).tolist()
        for both in (True, False)
    }
    content = {
        "made_by": {each.__name__: each.__version__ for each in (transformers, torch)},
        "buckets": buckets,
        "cases": cases,
    }
    VALUES.write_text(json.dumps(content) + "\n", "utf-8")


def _rounded(value: Any) -> Any:
    """Return numbers with a certain number of digits."""
    return np.round(value.numpy(), DIGITS).tolist()


if __name__ == "__main__":
    main()
