"""Modules of a quantised model: which format the matrices of each group have."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from specs.latent_attention import LatentAttention
from specs.model_formats import WeightGroup
from specs.quantization_rules import QuantizationError, Rules, is_every_module
from specs.transformer_shape import TransformerShape
from specs.weight_formats import WeightFormat

_REGULAR = "re:"
_ANY = re.escape("*")
# Where a decoder is in a checkpoint, alone or beside another model.
_PLACES = ("language_model", "model", "transformer")
_DECODER = "model."
_BESIDE = ("model.language_model.", "language_model.model.")
# Fields of `specs.families.tensor_names.TensorNames` that are the matrices of a group.
_MATRICES = {
    WeightGroup.ATTENTION: ("query", "key", "value", "output"),
    WeightGroup.FEED_FORWARD: ("gate", "up", "down"),
    WeightGroup.EXPERTS: ("expert_gate", "expert_up", "expert_down"),
    WeightGroup.SHARED_EXPERTS: ("shared_gate", "shared_up", "shared_down"),
}
# The matrices of linear attention but for two of a few rows, which stay as they are.
_OF_LINEAR = tuple(
    f"linear_{kind}" for kind in ("query", "key", "value", "gate", "output")
)
_TARGETS = "config_groups"


def formats_of_groups(
    rules: Rules, model: TransformerShape, plain: WeightFormat
) -> dict[WeightGroup, tuple[WeightFormat, ...]]:
    """Return the formats of each group of a model's tensors under a quantisation.

    Parameters
    ----------
    rules
        What is quantised how.
    model
        Sizes of the model.
    plain
        Format of what is not quantised.

    Returns
    -------
    dict
        One format for a group that has the same in all layers, or else one for each
        layer of the model. A layer without the group has that of most others.

    Raises
    ------
    QuantizationError
        If matrices of a group in one layer differ, or nothing is quantised.
    """
    unquantised: tuple[WeightFormat, ...] = (plain,)
    groups = dict.fromkeys(WeightGroup, unquantised)
    if rules.dense and model.experts > 1:
        raise QuantizationError(
            f"quant_method is understood of models without experts, and {model.family} "
            f"has {model.experts}: which of their matrices it quantises depends on the "
            "version of a library"
        )
    layers = _layers_of(model)
    format_of = _format_by_name(rules, plain)
    for group in rules.groups:
        if group is WeightGroup.HEAD:
            groups[group] = (format_of(model.structure.tensors.head),)
            continue
        found = {
            layer: _format_of_layer(rules, model, group, layer, format_of)
            for layer in layers[group]
        }
        most = Counter(found.values()).most_common(1)
        if len(set(found.values())) > 1:
            own = [found.get(n, most[0][0]) for n in range(model.layers)]
            groups[group] = tuple(own)
        elif most:
            groups[group] = (most[0][0],)
    if len(groups[WeightGroup.ATTENTION]) > 1 and model.latent is not None:
        raise QuantizationError(
            f"{rules.skips_key} leaves some layers of attention as they are; latent "
            "attention has one format in all layers here"
        )
    if all(own == (plain,) for own in groups.values()):
        raise QuantizationError(
            f"quant_method quantises nothing of a {model.family} model of "
            f"{model.experts} experts"
        )
    return groups


def _format_by_name(rules: Rules, plain: WeightFormat) -> Callable[[str], WeightFormat]:
    """Return the function that says the format of a module; names come before all."""
    skips = _NameList(rules.skips, rules.skips_key).has
    ordered = sorted(rules.targets, key=lambda target: is_every_module(target[0]))
    targets = [
        (_every_name if is_every_module(names) else _NameList(names, _TARGETS).has, own)
        for names, own in ordered
    ]

    def format_of(name: str) -> WeightFormat:
        if skips(name):
            return plain
        return next((own for named, own in targets if named(name)), None) or plain

    return format_of


def _format_of_layer(
    rules: Rules,
    model: TransformerShape,
    group: WeightGroup,
    layer: int,
    format_of: Callable[[str], WeightFormat],
) -> WeightFormat:
    """Return the format of a group's matrices in a layer, which is the same of all."""
    found: dict[WeightFormat, str] = {}
    for name in _modules(model, group, layer):
        found.setdefault(format_of(name), name)
    if len(found) > 1:
        (one, first), (other, second), *_ = found.items()
        raise QuantizationError(
            f"{rules.skips_key} leaves {first} in {one} and {second} in {other}; "
            f"the matrices of {group.value} of a layer have one format here"
        )
    return next(iter(found))


def groups_in(model: TransformerShape) -> tuple[WeightGroup, ...]:
    """Return the groups of tensors that a model has, quantised or not."""
    layers = _layers_of(model)
    return tuple(g for g in WeightGroup if g not in _MATRICES or len(layers[g]))


def _layers_of(model: TransformerShape) -> dict[WeightGroup, Sequence[int]]:
    """Return the layers that have matrices of each group."""
    every = range(model.layers)
    routed = [layer for layer in every if model.has_experts(layer)]
    return {
        WeightGroup.ATTENTION: every,
        WeightGroup.FEED_FORWARD: [n for n in every if not model.has_experts(n)],
        WeightGroup.EXPERTS: routed,
        WeightGroup.SHARED_EXPERTS: [n for n in routed if model.shared_size(n)],
        WeightGroup.HEAD: (),
    }


def _modules(model: TransformerShape, group: WeightGroup, layer: int) -> Iterator[str]:
    """Yield the names of a layer's matrices in a checkpoint, without ``.weight``."""
    names = model.structure.tensors
    gated = model.structure.gated
    matrices = dict(_MATRICES)
    if model.latent is not None:
        matrices[WeightGroup.ATTENTION] = _of_latents(model.latent)
    own = tuple(f for f in matrices[group] if gated or not f.endswith("gate"))
    # All experts of a layer are treated as its first and its last are.
    experts = sorted({0, model.experts - 1})
    if group is WeightGroup.ATTENTION and model.is_linear(layer):
        own = _OF_LINEAR
    for template in dict.fromkeys(getattr(names, field) for field in own):
        for expert in experts if "{expert}" in template else (0,):
            yield template.format(layer=layer, expert=expert)


def _of_latents(latent: LatentAttention) -> tuple[str, ...]:
    """Return the matrices of latent attention, whose queries may have no latent."""
    queries = ("query",) if latent.query_rank is None else ("query_down", "query_up")
    return (*queries, "latent_down", "key_value_up", "output")


def _every_name(_name: str) -> bool:
    return True


class _NameList:
    """List of modules at a key of a config, by parts of names or by expressions.

    A part is some of the dotted names that follow each other, in each of which ``*``
    stands for anything; ``re:`` begins a regular expression of a whole name.
    """

    def __init__(self, entries: Collection[str], key: str) -> None:
        plain = [e.removesuffix(".weight") for e in entries if not _is_regular(e)]
        self._parts = {_own_part(entry) for entry in plain if "*" not in entry}
        wild = [_own_part(entry) for entry in plain if "*" in entry]
        self._expressions = [_compiled(e, key) for e in entries if _is_regular(e)]
        self._expressions += [
            re.compile(rf"(.*\.)?{re.escape(e).replace(_ANY, '[^.]*')}(\.|$)")
            for e in wild
        ]

    def has(self, name: str) -> bool:
        """Return whether the list means a module."""
        parts = _own_part(name).split(".")
        ends = range(1, len(parts) + 1)
        runs = ["" if len(parts) > 1 else name]
        runs += [".".join(parts[a:b]) for b in ends for a in range(b)]
        if self._parts and any(run in self._parts for run in runs):
            return True
        names = [name]
        if name.startswith(_DECODER):
            names += [place + name.removeprefix(_DECODER) for place in _BESIDE]
        return any(own.match(each) for own in self._expressions for each in names)


def _is_regular(entry: str) -> bool:
    return entry.startswith(_REGULAR)


def _own_part(entry: str) -> str:
    """Return an entry of a list without the place of the decoder in a checkpoint."""
    parts = entry.split(".")
    while parts and parts[0] in _PLACES:
        del parts[0]
    return ".".join(parts)


def _compiled(entry: str, key: str) -> re.Pattern[str]:
    """Return the regular expression of an entry."""
    try:
        return re.compile(entry.removeprefix(_REGULAR))
    except re.error as error:
        raise QuantizationError(
            f"{key}: {entry!r} is no regular expression: {error}"
        ) from None
