"""Quantisation methods of Hugging Face configs: the formats that each one states."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from specs.formats import NAMED, Format, WeightFormat, grouped, scaled_as_whole
from specs.model_formats import WeightGroup

# Groups whose matrices are linear layers of a decoder.
_LAYERS = (
    WeightGroup.ATTENTION,
    WeightGroup.FEED_FORWARD,
    WeightGroup.EXPERTS,
    WeightGroup.SHARED_EXPERTS,
)
_LINEAR = "Linear"
_MOST_INPUTS = 1 << 24
_MX_INPUTS, _NV_INPUTS = 32, 16
_INTEGERS = {4: Format.INT4, 8: Format.INT8}
_FLOATS = {4: Format.FP4, 8: Format.FP8}


class QuantizationError(ValueError):
    """Key of a quantisation that is not understood, with its value and the remedy."""


class Rules(NamedTuple):
    """Rules by which a method quantises the matrices of a model.

    Attributes
    ----------
    targets
        Names of modules, or ``Linear`` for all, and their format.
    groups
        Groups of tensors that the method quantises at all.
    skips
        Names of modules that it leaves as they are.
    skips_key
        Key of the config that lists them, for messages.
    kv_cache
        Format of the KV cache, None if it is left open.
    """

    targets: tuple[tuple[tuple[str, ...], WeightFormat], ...]
    groups: tuple[WeightGroup, ...] = _LAYERS
    skips: tuple[str, ...] = ()
    skips_key: str = "modules_to_not_convert"
    kv_cache: Format | None = None


class _Table:
    """Table of a config with typed access to its keys."""

    def __init__(self, content: Mapping[str, Any], prefix: str = "") -> None:
        self.content = content
        self.prefix = prefix

    def fault(self, key: str, remedy: str) -> QuantizationError:
        value = self.content.get(key)
        return QuantizationError(f"{self.prefix}{key} = {value!r}: {remedy}")

    def knows(self, *keys: str) -> None:
        """Refuse a key that is none of `keys`, unless it asks for nothing."""
        for key, value in self.content.items():
            if value and key not in (*keys, "quant_method"):
                raise QuantizationError(f"{self.prefix}{key} is not understood")

    def flag(self, key: str, *, otherwise: bool) -> bool:
        value = self.content.get(key)
        if value is None:
            return otherwise
        if not isinstance(value, bool):
            raise self.fault(key, "must be true or false")
        return value

    def number(self, key: str, otherwise: int | None = None) -> int:
        value = self.content.get(key, otherwise)
        if type(value) is not int:
            raise self.fault(key, "must be a whole number")
        return value

    def names(self, key: str) -> tuple[str, ...]:
        value = self.content.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(n, str) for n in value):
            raise self.fault(key, "must be a list of names of modules")
        return tuple(value)

    def table(self, key: str) -> "_Table | None":
        value = self.content.get(key)
        if not value:
            return None
        if not isinstance(value, Mapping):
            raise self.fault(key, "must be a table")
        return _Table(value, f"{self.prefix}{key}.")

    def group_inputs(self, key: str) -> int:
        """Return the inputs of a group, 0 for all of them."""
        size = self.number(key)
        if size == -1:
            return 0
        if not 1 <= size <= _MOST_INPUTS:
            raise self.fault(key, "must be a number of inputs, or -1 for all")
        return size

    def block(self, key: str) -> tuple[int, int]:
        """Return the outputs and inputs of a block."""
        value = self.content[key]
        if isinstance(value, str) and value.count("x") == 1:
            sides = [int(s) if s.isdecimal() else 0 for s in value.split("x")]
        else:
            sides = list(value) if isinstance(value, list) else []
        if len(sides) != 2 or not all(  # noqa: PLR2004
            type(side) is int and 1 <= side <= _MOST_INPUTS for side in sides
        ):
            raise self.fault(key, "must be the outputs and inputs of a block")
        return sides[0], sides[1]

    def element(self, key: str, known: Mapping[int, Format]) -> Format:
        bits = self.number(key)
        if bits not in known:
            widths = " or ".join(map(str, known))
            raise self.fault(key, f"weights of {widths} bits are understood")
        return known[bits]


def _awq(content: Mapping[str, Any]) -> Rules:
    """Return the rules of AWQ: groups of inputs, with a zero for each by default."""
    table = _Table(content)
    table.knows(
        "bits", "group_size", "zero_point", "version", "modules_to_not_convert",
        "backend", "do_fuse", "fuse_max_seq_len", "modules_to_fuse", "exllama_config",
    )  # fmt: skip
    stored = grouped(
        table.element("bits", {4: Format.INT4}),
        table.group_inputs("group_size"),
        zero=table.flag("zero_point", otherwise=True),
    )
    return Rules(_all_in(stored), skips=table.names("modules_to_not_convert"))


def _gptq(content: Mapping[str, Any]) -> Rules:
    """Return the rules of GPTQ: groups of inputs, with a zero if not symmetric."""
    table = _Table(content)
    table.knows(
        "bits", "group_size", "sym", "desc_act", "lm_head", "modules_to_not_convert",
        "damp_percent", "damp_auto_increment", "dataset", "tokenizer", "model_seqlen",
        "true_sequential", "static_groups", "use_cuda_fp16", "batch_size", "backend",
        "pad_token_id", "max_input_length", "exllama_config", "use_exllama", "meta",
        "disable_exllama", "cache_block_outputs", "checkpoint_format", "pack_dtype",
        "model_name_or_path", "model_file_base_name", "quantizer", "is_marlin_format",
        "block_name_to_quantize", "module_name_preceding_first_block", "version",
        "modules_in_block_to_quantize",
    )  # fmt: skip
    inputs = table.group_inputs("group_size")
    if table.flag("desc_act", otherwise=False) and inputs:
        raise table.fault(
            "desc_act",
            "groups of inputs that do not follow each other are not modelled",
        )
    if table.content.get("modules_in_block_to_quantize"):
        raise table.fault(
            "modules_in_block_to_quantize", "layers in part are not modelled"
        )
    stored = grouped(
        table.element("bits", _INTEGERS),
        inputs,
        zero=not table.flag("sym", otherwise=True),
    )
    head = table.flag("lm_head", otherwise=False)
    return Rules(
        _all_in(stored),
        groups=(*_LAYERS, WeightGroup.HEAD) if head else _LAYERS,
        skips=table.names("modules_to_not_convert"),
    )


def _fp8(content: Mapping[str, Any]) -> Rules:
    """Return the rules of FP8: scales of blocks, or of whole tensors."""
    table = _Table(content)
    table.knows(
        "activation_scheme", "fmt", "weight_block_size", "modules_to_not_convert",
        "scale_fmt",
    )  # fmt: skip
    if table.content.get("fmt", "e4m3") not in ("e4m3", "e5m2"):
        raise table.fault("fmt", "must be e4m3 or e5m2")
    stored = scaled_as_whole(Format.FP8)
    if table.content.get("weight_block_size") is not None:
        outputs, inputs = table.block("weight_block_size")
        stored = grouped(Format.FP8, inputs, outputs=outputs)
    return Rules(_all_in(stored), skips=table.names("modules_to_not_convert"))


def _mxfp4(content: Mapping[str, Any]) -> Rules:
    """Return the rules of MXFP4, which converts experts alone."""
    table = _Table(content)
    table.knows("modules_to_not_convert")
    return Rules(
        _all_in(NAMED["mxfp4"]),
        groups=(WeightGroup.EXPERTS,),
        skips=table.names("modules_to_not_convert"),
    )


def _compressed(content: Mapping[str, Any]) -> Rules:
    """Return the rules of compressed-tensors: a format for each list of targets."""
    table = _Table(content)
    table.knows(
        "config_groups", "ignore", "kv_cache_scheme", "format", "version", "producer",
        "quantization_status", "global_compression_ratio", "quant_algo",
    )  # fmt: skip
    groups = table.table("config_groups")
    if groups is None:
        raise table.fault("config_groups", "must be a table of groups")
    targets = []
    for name in groups.content:
        group = groups.table(name)
        weights = None if group is None else group.table("weights")
        if group is None or weights is None:
            continue
        group.knows(
            "weights", "targets", "input_activations", "output_activations", "format"
        )
        targets.append((group.names("targets"), _compressed_format(weights)))
    scheme = table.table("kv_cache_scheme")
    return Rules(
        tuple(targets),
        groups=(*_LAYERS, WeightGroup.HEAD),
        skips=table.names("ignore"),
        skips_key="ignore",
        kv_cache=None if scheme is None else _element(scheme),
    )


def _compressed_format(weights: _Table) -> WeightFormat:
    """Return the format of the weights of a group of compressed-tensors."""
    weights.knows(
        "num_bits", "type", "strategy", "group_size", "block_structure", "symmetric",
        "actorder", "observer", "observer_kwargs", "dynamic", "scale_dtype",
        "zp_dtype",
    )  # fmt: skip
    if weights.content.get("actorder") not in (None, "weight", "static"):
        raise weights.fault(
            "actorder",
            "groups of inputs that do not follow each other are not modelled",
        )
    element = _element(weights)
    inputs = weights.content.get("group_size")
    strategy = weights.content.get("strategy") or ("group" if inputs else "tensor")
    zero = not weights.flag("symmetric", otherwise=True)
    if strategy in ("group", "tensor_group"):
        size = weights.group_inputs("group_size")
        named = {
            (Format.FP4, _MX_INPUTS): "mxfp4",
            (Format.FP4, _NV_INPUTS): "nvfp4",
            (Format.FP8, _MX_INPUTS): "mxfp8",
        }.get((element, size))
        if element is Format.FP4 and named is None:
            raise weights.fault("group_size", "groups of FP4 have 16 or 32 inputs")
        return NAMED[named] if named else grouped(element, size, zero=zero)
    if strategy == "channel":
        return grouped(element, 0, zero=zero)
    if strategy == "block" and weights.content.get("block_structure"):
        outputs, inputs = weights.block("block_structure")
        return grouped(element, inputs, outputs=outputs, zero=zero)
    if strategy == "tensor":
        return scaled_as_whole(element)
    raise weights.fault(
        "strategy", "must be tensor, channel, group, tensor_group or block"
    )


def _element(table: _Table) -> Format:
    """Return the element of compressed weights, or of a compressed KV cache."""
    kind = table.content.get("type", "int")
    if kind not in ("int", "float"):
        raise table.fault("type", "must be int or float")
    return table.element("num_bits", _INTEGERS if kind == "int" else _FLOATS)


def _all_in(stored: WeightFormat) -> tuple[tuple[tuple[str, ...], WeightFormat], ...]:
    """Return targets that store all linear layers in one format."""
    return (((_LINEAR,), stored),)


def is_every_module(targets: Collection[str]) -> bool:
    """Return whether targets of a quantisation are all linear layers."""
    return _LINEAR in targets


METHODS: dict[str, Callable[[Mapping[str, Any]], Rules]] = {
    "awq": _awq,
    "compressed-tensors": _compressed,
    "fp8": _fp8,
    "gptq": _gptq,
    "modelopt": _compressed,
    "mxfp4": _mxfp4,
}
