"""Sizes of what a graph's program sends.

For `compiler.verify`; independent of the code that makes programs.
"""

from typing import final

import numpy as np

from chip.dataflow import Regions
from compiler.dataflow_rules.graphs.stated import GraphFacts
from compiler.dataflow_rules.regions import begins_of_arrays
from specs.arrays import Ints


@final
class GraphSizes:
    """Sizes of the values of a graph's program, for dataflow rules.

    Attributes
    ----------
    most_shards
        Shards of a message at most, of which each takes whole bytes; 1 if elements do.
    """

    def __init__(self, facts: GraphFacts) -> None:
        values, carried = facts.statements.flow.values, facts.statements.flow.carried
        suffix = facts.partial("")
        self._bits = np.array(
            [
                0
                if value.name in facts.matrices
                else facts.bits(facts.tensors[value.name.removesuffix(suffix)])
                for value in values
            ],
            dtype=np.int64,
        )
        parted = bool((self._bits[carried.value] % 8).any())
        self.most_shards = facts.plan.strategy.width if parted else 1

    def carried_bits(self, regions: Regions) -> Ints:
        """Return, for dataflow rules, the bits of regions, shape ``(regions,)``."""
        size = (regions.last - regions.first).astype(np.int64)
        # A sum of several ranges of parts is one array.
        return size * self._bits[regions.value] * begins_of_arrays(regions)
