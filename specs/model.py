"""The shape of a language model, read from an unmodified Hugging Face config.json."""

from importlib import resources
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from specs.errors import SpecError, nearest
from specs.reading import Spec, build, read_mapping

# Norm vectors in one decoder layer; gemma2 normalises the output of each block too.
NORMS_PER_LAYER = {"llama": 2, "mistral": 2, "mixtral": 2, "gemma2": 4}

# Normalised in any family: what attention and the feed-forward take in.
_BLOCKS_PER_LAYER = 2
# Our name of each size that every config.json must hold, and its name there.
_KEYS = {
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "layers": "num_hidden_layers",
    "attention_heads": "num_attention_heads",
    "vocabulary_size": "vocab_size",
}


class ModelSpec(Spec):
    """A decoder-only transformer as a list of sizes.

    Parameters
    ----------
    name
        What the model is called in tables.
    family
        ``model_type`` of the config: llama, mistral, mixtral or gemma2.
    hidden_size, intermediate_size
        Width of the residual stream and of the (gated) feed-forward, in elements.
    layers
        Decoder blocks.
    attention_heads, kv_heads, head_dim
        Query heads, key/value heads (fewer = grouped-query attention), and the
        elements of one head.
    vocabulary_size
        Rows of the embedding.
    tied_embeddings
        Whether the output head is the embedding itself.
    experts, experts_per_token
        Feed-forwards per layer and how many of them a token uses; 1 and 1 if dense.
    max_context_tokens
        Positions the model was trained for.
    """

    name: str
    family: str
    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    layers: int = Field(gt=0)
    attention_heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    vocabulary_size: int = Field(gt=0)
    tied_embeddings: bool
    experts: int = Field(gt=0)
    experts_per_token: int = Field(gt=0)
    max_context_tokens: int = Field(gt=0)

    @model_validator(mode="after")
    def _heads_and_experts_divide(self) -> Self:
        if self.attention_heads % self.kv_heads:
            raise ValueError(
                f"{self.attention_heads} query heads cannot share "
                f"{self.kv_heads} key/value heads evenly"
            )
        if self.experts_per_token > self.experts:
            raise ValueError(
                f"a token cannot use {self.experts_per_token} of {self.experts} experts"
            )
        return self

    @property
    def query_size(self) -> int:
        """Return the elements of all query heads together."""
        return self.attention_heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Return the elements of all key heads together (values have as many)."""
        return self.kv_heads * self.head_dim

    @property
    def norms_per_layer(self) -> int:
        """Return the norm vectors in one layer."""
        return NORMS_PER_LAYER[self.family]

    @property
    def normalises_outputs(self) -> bool:
        """Return whether the output of each block is normalised as its input is."""
        return self.norms_per_layer > _BLOCKS_PER_LAYER

    @property
    def attention_parameters(self) -> int:
        """Return the weights of one layer's attention projections."""
        return self.hidden_size * 2 * (self.query_size + self.kv_size)

    @property
    def feed_forward_parameters(self) -> int:
        """Return the weights of one layer's experts (gate, up, down) and router."""
        experts = self.experts * 3 * self.hidden_size * self.intermediate_size
        router = self.hidden_size * self.experts if self.experts > 1 else 0
        return experts + router

    @property
    def parameters(self) -> int:
        """Return all parameters, a tied embedding counted once."""
        norms = (self.layers * self.norms_per_layer + 1) * self.hidden_size
        tables = 1 if self.tied_embeddings else 2
        return (
            self.layers * (self.attention_parameters + self.feed_forward_parameters)
            + norms
            + tables * self.vocabulary_size * self.hidden_size
        )


def model_names() -> list[str]:
    """Return the names of the shipped models, sorted."""
    folder = resources.files("specs") / "models"
    return sorted(
        entry.name.removesuffix(".json")
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    )


def load_model(name_or_path: str | Path) -> ModelSpec:
    """Return a shipped model by name, or the model of a ``config.json``.

    Raises
    ------
    SpecError
        If neither a shipped model nor a file has that name, or if the file is
        damaged, lacks a size, or is of an architecture not modelled.
    """
    text = str(name_or_path)
    if text in model_names():
        path = Path(str(resources.files("specs") / "models" / f"{text}.json"))
        return model_from_config(read_mapping(path), name=text, origin=f"{text}.json")
    path = Path(text)
    if path.is_dir():
        path = path / "config.json"
    if not path.exists() and path.suffix != ".json":
        raise SpecError(
            f"no model {text!r} is shipped and no such file is in {Path.cwd()}; "
            f"{nearest(text, model_names())} (groqrack models lists them all)"
        )
    name = path.parent.name if path.name == "config.json" else path.stem
    return model_from_config(read_mapping(path), name=name or "model", origin=str(path))


def model_from_config(
    config: dict[str, Any], *, name: str, origin: str = "config"
) -> ModelSpec:
    """Return the shape that a Hugging Face configuration describes.

    Parameters
    ----------
    config
        The content of ``config.json``; keys that do not bear on size are ignored.
    name
        What to call the model.
    origin
        Where the content comes from, for messages.

    Raises
    ------
    SpecError
        If ``model_type`` is not modelled or a size is missing or not positive.
    """
    family = config.get("model_type")
    if family is None:
        raise SpecError(f"{origin}: key 'model_type' is missing; is the file complete?")
    if family not in NORMS_PER_LAYER:
        raise SpecError(
            f"{origin}: model_type {family!r} is not modelled; "
            f"{nearest(str(family), NORMS_PER_LAYER)} "
            f"(modelled: {', '.join(sorted(NORMS_PER_LAYER))})"
        )
    missing = [key for key in _KEYS.values() if key not in config]
    if missing:
        raise SpecError(
            f"{origin}: a {family} configuration needs {', '.join(missing)}; "
            "is the file complete?"
        )

    def size(key: str, otherwise: int) -> int:
        return _size(config, key, otherwise, origin)

    sizes = {ours: size(theirs, 0) for ours, theirs in _KEYS.items()}
    hidden_size, heads = sizes["hidden_size"], sizes["attention_heads"]
    if config.get("head_dim") is None and hidden_size % heads:
        raise SpecError(
            f"{origin}: hidden_size {hidden_size} is no multiple of "
            f"num_attention_heads {heads}; give head_dim"
        )
    return build(
        ModelSpec,
        {
            **sizes,
            "name": name,
            "family": family,
            # Absent means multi-head attention: a key and value head per query head.
            "kv_heads": size("num_key_value_heads", heads),
            "head_dim": size("head_dim", hidden_size // heads),
            "tied_embeddings": config.get("tie_word_embeddings", family == "gemma2"),
            "experts": size("num_local_experts", 1),
            "experts_per_token": size("num_experts_per_tok", 1),
            "max_context_tokens": size("max_position_embeddings", 4096),
        },
        origin,
    )


def _size(config: dict[str, Any], key: str, otherwise: int, origin: str) -> int:
    """Return the number at `key`, or `otherwise` if it is absent or null."""
    value = config.get(key)
    if value is None and otherwise:
        return otherwise
    if type(value) is not int or value < 1:
        raise SpecError(f"{origin}: {key} = {value!r}: must be a whole number above 0")
    return value
