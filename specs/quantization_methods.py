"""Quantisation methods of Hugging Face configs: the formats that each one states."""

from collections.abc import Callable, Mapping
from typing import Any

from specs.formats import Format
from specs.model_formats import WeightGroup
from specs.quantization_rules import (
    LAYERS,
    Rules,
    RulesTable,
    Targets,
    all_in,
)
from specs.weight_formats import (
    NAMED,
    WeightFormat,
    grouped,
    scaled_as_whole,
    scaled_by_fp32,
)

_MX_INPUTS, _NV_INPUTS, _BNB_INPUTS = 32, 16, 64
_INTEGERS = {4: Format.INT4, 8: Format.INT8}
_FLOATS = {4: Format.FP4, 8: Format.FP8}


def _awq(content: Mapping[str, Any]) -> Rules:
    """Return the rules of AWQ: groups of inputs, with a zero for each by default."""
    table = RulesTable(content)
    table.knows(
        "bits", "group_size", "zero_point", "version", "modules_to_not_convert",
        "backend", "do_fuse", "fuse_max_seq_len", "modules_to_fuse", "exllama_config",
    )  # fmt: skip
    stored = grouped(
        table.element("bits", {4: Format.INT4}),
        table.group_inputs("group_size"),
        zero=table.flag("zero_point", otherwise=True),
    )
    return Rules(all_in(stored), skips=table.names("modules_to_not_convert"))


def _gptq(content: Mapping[str, Any]) -> Rules:
    """Return the rules of GPTQ: groups of inputs, with a zero if not symmetric."""
    table = RulesTable(content)
    table.knows(
        "bits", "group_size", "sym", "desc_act", "lm_head", "modules_to_not_convert",
        "damp_percent", "damp_auto_increment", "dataset", "tokenizer", "model_seqlen",
        "true_sequential", "static_groups", "use_cuda_fp16", "batch_size", "backend",
        "pad_token_id", "max_input_length", "exllama_config", "use_exllama", "meta",
        "disable_exllama", "cache_block_outputs", "checkpoint_format", "pack_dtype",
        "model_name_or_path", "model_file_base_name", "quantizer", "is_marlin_format",
        "block_name_to_quantize", "module_name_preceding_first_block", "version",
        "modules_in_block_to_quantize", "dynamic",
    )  # fmt: skip
    stored = _gptq_format(table)
    if table.content.get("modules_in_block_to_quantize"):
        raise table.fault(
            "modules_in_block_to_quantize", "layers in part are not modelled"
        )
    head = table.flag("lm_head", otherwise=False)
    return Rules(
        (*_gptq_exceptions(table), *all_in(stored)),
        groups=(*LAYERS, WeightGroup.HEAD) if head else LAYERS,
        skips=table.names("modules_to_not_convert"),
    )


def _gptq_format(table: RulesTable) -> WeightFormat:
    """Return the format of the modules that a table of GPTQ means."""
    inputs = table.group_inputs("group_size")
    if table.flag("desc_act", otherwise=False) and inputs:
        raise table.fault(
            "desc_act",
            "groups of inputs that do not follow each other are not modelled",
        )
    return grouped(
        table.element("bits", _INTEGERS),
        inputs,
        zero=not table.flag("sym", otherwise=True),
    )


def _gptq_exceptions(table: RulesTable) -> Targets:
    """Return what ``dynamic`` of GPTQ says of modules, each by an expression.

    One that begins with ``-:`` leaves modules as they are, others change keys.
    """
    dynamic = table.table("dynamic")
    if dynamic is None:
        return ()
    targets: list[tuple[tuple[str, ...], WeightFormat | None]] = []
    for name, changes in dynamic.content.items():
        if name.startswith("-:"):
            targets.append(((f"re:{name.removeprefix('-:')}",), None))
            continue
        if not isinstance(changes, Mapping):
            raise dynamic.fault(name, "must be a table")
        changed = RulesTable(changes, f"{dynamic.prefix}{name}.")
        changed.knows(
            "bits", "group_size", "sym", "desc_act", "mse", "damp_percent",
            "damp_auto_increment", "static_groups",
        )  # fmt: skip
        kept = {
            key: table.content[key]
            for key in ("bits", "group_size", "sym", "desc_act")
            if key in table.content
        }
        both = RulesTable({**kept, **changes}, changed.prefix)
        own = _gptq_format(both)
        targets.append(((f"re:{name.removeprefix('+:')}",), own))
    return tuple(targets)


def _fp8(content: Mapping[str, Any]) -> Rules:
    """Return the rules of FP8: scales of blocks, or of whole tensors."""
    table = RulesTable(content)
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
    return Rules(all_in(stored), skips=table.names("modules_to_not_convert"))


def _mxfp4(content: Mapping[str, Any]) -> Rules:
    """Return the rules of MXFP4, which converts experts alone."""
    table = RulesTable(content)
    table.knows("modules_to_not_convert")
    return Rules(
        all_in(NAMED["mxfp4"]),
        groups=(WeightGroup.EXPERTS,),
        skips=table.names("modules_to_not_convert"),
    )


def _fbgemm(content: Mapping[str, Any]) -> Rules:
    """Return the rules of FBGEMM's FP8: an FP32 scale for each output."""
    table = RulesTable(content)
    table.knows("activation_scale_ub", "modules_to_not_convert")
    return Rules(
        all_in(scaled_by_fp32(Format.FP8, 0)),
        skips=table.names("modules_to_not_convert"),
        dense=True,
    )


def _bitsandbytes(content: Mapping[str, Any]) -> Rules:
    """Return the rules of bitsandbytes: 4 bits by groups, or 8 by outputs.

    A list of modules takes the place of the one that leaves out the head.
    """
    table = RulesTable(content)
    table.knows(
        "load_in_4bit", "load_in_8bit", "_load_in_4bit", "_load_in_8bit",
        "bnb_4bit_compute_dtype", "bnb_4bit_quant_storage", "bnb_4bit_quant_type",
        "bnb_4bit_use_double_quant", "llm_int8_threshold", "llm_int8_skip_modules",
        "llm_int8_enable_fp32_cpu_offload", "llm_int8_has_fp16_weight",
    )  # fmt: skip
    four = table.flag("load_in_4bit", otherwise=False)
    if four == table.flag("load_in_8bit", otherwise=False):
        raise table.fault("load_in_4bit", "one of it and load_in_8bit must be true")
    if table.flag("llm_int8_has_fp16_weight", otherwise=False):
        raise table.fault("llm_int8_has_fp16_weight", "weights are not stored in INT8")
    stored = scaled_by_fp32(Format.INT8, 0)
    if four:
        if table.content.get("bnb_4bit_quant_type", "fp4") not in ("nf4", "fp4"):
            raise table.fault("bnb_4bit_quant_type", "must be nf4 or fp4")
        stored = scaled_by_fp32(
            Format.FP4,
            _BNB_INPUTS,
            double=table.flag("bnb_4bit_use_double_quant", otherwise=False),
        )
    skips = table.names("llm_int8_skip_modules")
    return Rules(
        all_in(stored),
        groups=(*LAYERS, WeightGroup.HEAD) if skips else LAYERS,
        skips=skips,
        skips_key="llm_int8_skip_modules",
        dense=True,
    )


def _compressed(content: Mapping[str, Any]) -> Rules:
    """Return the rules of compressed-tensors: a format for each list of targets."""
    table = RulesTable(content)
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
        groups=(*LAYERS, WeightGroup.HEAD),
        skips=table.names("ignore"),
        skips_key="ignore",
        kv_cache=None if scheme is None else _element(scheme),
    )


def _compressed_format(weights: RulesTable) -> WeightFormat:
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


def _element(table: RulesTable) -> Format:
    """Return the element of compressed weights, or of a compressed KV cache."""
    kind = table.content.get("type", "int")
    if kind not in ("int", "float"):
        raise table.fault("type", "must be int or float")
    return table.element("num_bits", _INTEGERS if kind == "int" else _FLOATS)


METHODS: dict[str, Callable[[Mapping[str, Any]], Rules]] = {
    "awq": _awq,
    "bitsandbytes": _bitsandbytes,
    "compressed-tensors": _compressed,
    "fbgemm_fp8": _fbgemm,
    "fp8": _fp8,
    "gptq": _gptq,
    "modelopt": _compressed,
    "mxfp4": _mxfp4,
}
