"""Makes class_defaults.json: defaults of configuration classes in transformers.

Run from the root of the repository, where transformers is installed beside the packages
of this project; it is no dependency of its tests, and needs no torch here::

    python -m tests.specs.families.make_class_defaults

For each family, what its class sets for the keys that are read of its configs.
"""

import inspect
import json
from importlib import import_module
from pathlib import Path
from typing import Any

from specs.families.catalogue import FAMILIES

VALUES = Path(__file__).with_name("class_defaults.json")


# What transformers calls a family that it has under another name.
THEIRS = {"kimi_k2": "deepseek_v3"}
# Classes that transformers lacks, as the code beside a checkpoint states them.
OUTSIDE: dict[str, dict[str, Any]] = {
    "internlm2": {
        "bias": True,
        "hidden_act": "silu",
        "hidden_size": 4096,
        "intermediate_size": 11_008,
        "max_position_embeddings": 2048,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "tie_word_embeddings": False,
        "vocab_size": 103_168,
        "class": "InternLM2Config",
        "of": "internlm2-7b",
    },
}


def class_defaults(family: str) -> dict[str, Any]:
    """Return the defaults of a family's class, without those that are null."""
    if family in OUTSIDE:
        return OUTSIDE[family]
    auto = import_module("transformers.models.auto.configuration_auto")
    kind = auto.CONFIG_MAPPING[THEIRS.get(family, family)]
    values = {
        name: parameter.default
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
    }
    # Rotation is a table that the class fills from attributes of its own.
    values |= {"rope_theta": kind.default_theta}
    rotation = getattr(kind(), "rope_parameters", None)
    if rotation is None:
        del values["rope_theta"]
    elif isinstance(kind.default_theta, dict):
        values["rope_theta"] = kind.default_theta["global"]
        values["rope_local_base_freq"] = kind.default_theta["local"]
    elif "partial_rotary_factor" in rotation:
        values["partial_rotary_factor"] = rotation["partial_rotary_factor"]
    keys = {
        key for names in FAMILIES[family].keys.model_dump().values() for key in names
    }
    return {
        key: values[key]
        for key in sorted(keys & set(values))
        if values[key] is not None
    } | {"class": kind.__name__}


if __name__ == "__main__":
    content = {
        "made_by": import_module("transformers").__version__,
        "families": {name: class_defaults(name) for name in FAMILIES},
    }
    VALUES.write_text(json.dumps(content, indent=1) + "\n")
