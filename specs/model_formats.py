"""Number formats of a quantised model, by group of its tensors."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import final

from specs.validation import Spec
from specs.weight_formats import WeightFormat, WeightFormatField


class WeightGroup(StrEnum):
    """Group of a model's weight tensors that are stored in one format.

    Others are norms, biases, tables of positions and routers.
    """

    EMBEDDING = "embedding"
    ATTENTION = "attention"
    FEED_FORWARD = "feed_forward"
    EXPERTS = "experts"
    SHARED_EXPERTS = "shared_experts"
    HEAD = "head"
    OTHERS = "others"


@final
class ModelFormats(Spec):
    """Number formats of a model's weights, by group of tensors.

    Parameters
    ----------
    method
        How the checkpoint was quantised, ``quant_method`` of its config.
    embedding, attention, feed_forward, experts, shared_experts, head, others
        Format of each group. An embedding is quantised in no checkpoint; matrices of
        a dense feed-forward, of routed experts and of shared ones may differ.
    layered
        The groups whose layers differ, each with the format of every layer. Their
        format above is the one that most layers have. A layer beyond those of the
        checkpoint has the format of its last.
    """

    method: str
    embedding: WeightFormatField
    attention: WeightFormatField
    feed_forward: WeightFormatField
    experts: WeightFormatField
    shared_experts: WeightFormatField
    head: WeightFormatField
    others: WeightFormatField
    layered: tuple[tuple[WeightGroup, tuple[WeightFormatField, ...]], ...] = ()

    @staticmethod
    def uniform(stored: WeightFormat) -> "ModelFormats":
        """Return the formats of a model with all tensors in one format."""
        return _uniform(stored)

    @classmethod
    def by_layers(
        cls, method: str, groups: Mapping[WeightGroup, Sequence[WeightFormat]]
    ) -> "ModelFormats":
        """Return the formats of a model, with one for each layer or one for all.

        Parameters
        ----------
        method
            How it was quantised.
        groups
            Formats of all groups: of each layer, or a single one.
        """
        most = {name: Counter(own).most_common(1)[0][0] for name, own in groups.items()}
        layered = [(n, tuple(own)) for n, own in groups.items() if len(set(own)) > 1]
        return cls.model_validate({"method": method, "layered": layered, **most})

    def of(self, group: WeightGroup, layer: int | None = None) -> WeightFormat:
        """Return the number format of a group of a model's tensors.

        Parameters
        ----------
        group
            The group.
        layer
            The layer; None for a group outside the layers.

        Raises
        ------
        ValueError
            If layers of the group differ and none is given.
        """
        for name, formats in self.layered:
            if name is group:
                if layer is None:
                    raise ValueError(f"layers of {group.value} have several formats")
                return formats[min(layer, len(formats) - 1)]
        stored: WeightFormat = getattr(self, group.value)
        return stored

    def every(self, group: WeightGroup) -> tuple[WeightFormat, ...]:
        """Return the number formats of a model's group: that of most layers first."""
        formats = next((own for name, own in self.layered if name is group), ())
        most: WeightFormat = getattr(self, group.value)
        return tuple(dict.fromkeys((most, *formats)))

    def at_layer(self, layer: int) -> tuple[WeightFormat, ...]:
        """Return the formats of a layer of a model whose layers differ, by group."""
        return tuple(self.of(name, layer) for name, _ in self.layered)

    def described(self, groups: Collection[WeightGroup]) -> str:
        """Return the formats of some groups as text, such as ``fp8``."""
        found: dict[str, list[str]] = {}
        for group in groups:
            found.setdefault(self._text(group), []).append(group.replace("_", "-"))
        if len(found) == 1:
            return next(iter(found))
        return "; ".join(f"{', '.join(own)} {name}" for name, own in found.items())

    def _text(self, group: WeightGroup) -> str:
        """Return the formats of a group as text, with the layers of those that differ.

        A layer without matrices of the group counts as one that does not differ.
        """
        most, *_ = self.every(group)
        own = next((formats for name, formats in self.layered if name is group), ())
        fewer = Counter(str(each) for each in own if each != most)
        parts = [
            f"{name} in {count} layer{'s' if count > 1 else ''}"
            for name, count in fewer.items()
        ]
        return " and ".join([str(most), *parts])


@lru_cache(maxsize=64)
def _uniform(stored: WeightFormat) -> ModelFormats:
    """Return the formats of a model in one format, made once: plans ask for them."""
    return ModelFormats.by_layers("", dict.fromkeys(WeightGroup, (stored,)))
