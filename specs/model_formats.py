"""Number formats of a quantised model, by group of its tensors."""

from collections.abc import Collection
from enum import StrEnum
from functools import lru_cache
from typing import final

from specs.formats import WeightFormat, WeightFormatField
from specs.validation import Spec


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
    """

    method: str
    embedding: WeightFormatField
    attention: WeightFormatField
    feed_forward: WeightFormatField
    experts: WeightFormatField
    shared_experts: WeightFormatField
    head: WeightFormatField
    others: WeightFormatField

    @staticmethod
    def uniform(stored: WeightFormat) -> "ModelFormats":
        """Return the formats of a model with all tensors in one format."""
        return _uniform(stored)

    def of(self, group: WeightGroup) -> WeightFormat:
        """Return the number format of a group of a model's tensors."""
        stored: WeightFormat = getattr(self, group.value)
        return stored

    def described(self, groups: Collection[WeightGroup]) -> str:
        """Return the formats of some groups as text, such as ``fp8``."""
        found: dict[str, list[str]] = {}
        for group in groups:
            found.setdefault(str(self.of(group)), []).append(group.replace("_", "-"))
        if len(found) == 1:
            return next(iter(found))
        return "; ".join(f"{', '.join(own)} {name}" for name, own in found.items())


@lru_cache(maxsize=64)
def _uniform(stored: WeightFormat) -> ModelFormats:
    """Return the formats of a model in one format, made once: plans ask for them."""
    return ModelFormats(method="", **dict.fromkeys(WeightGroup, stored))
