"""Sizes of models before they are planned, and the machine that each needs."""

from functools import lru_cache
from typing import Any, NamedTuple

from compiler.search.search_space import strategies_on
from sharding.planner.infeasibility import fewest_chips, least_chips
from sharding.weights.stored_weights import checkpoint_bytes
from sharding.weights.task import Task
from specs.encoder_decoders.shape import EncoderDecoder
from specs.machine import MachineSpec
from specs.model import ModelSpec

# Positions for which a machine must have room, or as many as the model has.
CONTEXT_TOKENS = 4096
# Of models that need more, trying every split of every number of chips takes minutes.
_SEARCHED_CHIPS = 2_000
# Titles of a table and their units; what exceeds a terminal's line has two.
_TITLES = ("name", "family", "params", "active", "KV/pos", "state", "chips")
_UNITS = ("", "", "G", "G", "B", "MB", "")
_LINE = 80


class ModelSizes(NamedTuple):
    """Sizes of a model.

    Attributes
    ----------
    model
        The model.
    weight_bytes, kv_bytes_per_position
        Bytes of all weights, and what a position adds to the KV cache, in the formats
        of the checkpoint, or else the machine's. Layers with a window keep no more
        positions than it has.
    state_bytes_per_sequence
        Bytes that linear attention keeps of a sequence, however long it is, or those of
        the keys and values of an encoder.
    fewest_chips
        Chips of the smallest machine that holds it, one sequence and `CONTEXT_TOKENS`
        positions; None if none does, or if it was not searched for.
    least_chips
        Chips below which no machine holds it, by what is held in all.
    searched
        Whether the smallest machine was searched for.
    """

    model: ModelSpec | EncoderDecoder
    weight_bytes: int
    kv_bytes_per_position: int
    state_bytes_per_sequence: int
    fewest_chips: int | None
    least_chips: int
    searched: bool = True

    @property
    def chips_text(self) -> str:
        """Return the fewest chips as text: what is known of them."""
        if self.fewest_chips is not None:
            return f"{self.fewest_chips:,}"
        return "none" if self.searched else f">={self.least_chips:,}"

    def document(self) -> dict[str, Any]:
        """Return the JSON report of a model's sizes."""
        model = self.model
        return {
            **model.model_dump(),
            "model_type": model.family,
            "parameters": model.parameters,
            "active_parameters": model.active_parameters,
            "weight_bytes": self.weight_bytes,
            "kv_bytes_per_position": self.kv_bytes_per_position,
            "state_bytes_per_sequence": self.state_bytes_per_sequence,
            "fewest_chips": self.fewest_chips,
            "least_chips": self.least_chips,
            "remarks": list(model.remarks),
        }


@lru_cache(maxsize=64)
def model_sizes(model: ModelSpec, machine: MachineSpec) -> ModelSizes:
    """Return the sizes of a model for a report, in the formats of a machine."""
    context = min(CONTEXT_TOKENS, model.max_context_tokens)
    cached = model.kv_cache or machine.formats.kv_cache
    task = Task(model, machine, 1, context, 1)
    least, smallest = least_chips(task, 1), None
    if least <= _SEARCHED_CHIPS:
        smallest = fewest_chips(task, 1, lambda chips: strategies_on(model, chips))
    return ModelSizes(
        model=model,
        weight_bytes=checkpoint_bytes(model, machine),
        kv_bytes_per_position=cached.bytes_of(model.kv_elements),
        state_bytes_per_sequence=model.state_bytes(machine.formats.activations),
        fewest_chips=smallest.chips if smallest else None,
        least_chips=least,
        searched=least <= _SEARCHED_CHIPS,
    )


def sizes_table(sizes: list[ModelSizes]) -> list[str]:
    """Return the lines of a report's table of models, of at most 80 characters each.

    Below the titles are their units. A name for which a line has no room stands above
    its numbers.
    """
    rows = [
        (
            each.model.name,
            each.model.family,
            f"{each.model.parameters / 1e9:.2f}",
            f"{each.model.active_parameters / 1e9:.2f}",
            f"{each.kv_bytes_per_position:,}",
            f"{each.state_bytes_per_sequence / 1e6:.1f}",
            each.chips_text,
        )
        for each in sizes
    ]
    rows = [_TITLES, _UNITS, *rows]
    others = [max(map(len, column)) for column in list(zip(*rows, strict=True))[1:]]
    room = _LINE - sum(others) - 2 * len(others)
    names = min(room, max(len(row[0]) for row in rows))
    lines = []
    for name, family, *numbers in rows:
        first = name
        if len(name) > names:
            lines.append(name)
            first = ""
        words = [first.ljust(names), family.ljust(others[0])]
        words += [
            number.rjust(width)
            for number, width in zip(numbers, others[1:], strict=True)
        ]
        lines.append("  ".join(words).rstrip())
    return lines
