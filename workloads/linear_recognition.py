"""Linear attention of a transformer's graph, read back: its sizes, and its layers."""

from collections.abc import Iterable, Mapping
from typing import Any

from specs.families.catalogue import FAMILIES
from workloads.attributes import LinearAttributes
from workloads.operator_graph import Block
from workloads.operators import Function


def linear_fields(blocks: Iterable[Block]) -> dict[str, Any]:
    """Return the fields of a model spec on linear attention, of a graph's blocks."""
    for block in blocks:
        for operator in block.operators:
            if operator.function is Function.DELTA_RULE:
                linear = operator.attributes_as(LinearAttributes).linear
                return {"linear": linear, "linear_layers": block.layers}
    return {"linear": None, "linear_layers": ()}


def families_like(sizes: Mapping[str, Any]) -> list[str]:
    """Return the families that may have a graph of some sizes.

    They have latents or linear attention if the graph has; those that extend no other
    come first.
    """
    latents, linear = sizes["latent"] is not None, sizes["linear"] is not None
    found = [
        name
        for name, family in FAMILIES.items()
        if family.has_latents == latents and family.has_linear_layers >= linear
    ]
    return sorted(found, key=lambda name: (bool(FAMILIES[name].extends), name))
