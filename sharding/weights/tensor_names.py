"""Tensor names of a model in its checkpoint, by its family."""

from specs.families.catalogue import load_family
from specs.families.tensor_names import TensorNames


def names_of(family: str, *, experts: int) -> TensorNames:
    """Return the names of a transformer's tensors to shard, by its family."""
    names = load_family(family).tensors
    return names if experts == 1 else names.of_experts
