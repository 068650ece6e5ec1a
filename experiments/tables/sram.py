"""SRAM occupancy of each chip over the time of a token, as a table."""

import numpy as np
import pandas as pd

from chip.sram_occupancy import activation_changes, held_over_time
from experiments.run.scenario import Run
from experiments.tables.columns import COLUMNS
from experiments.trace.window import Window


def sram_table(run: Run, window: Window) -> pd.DataFrame:
    """Return the table of SRAM occupancy of some chips, a row for each change.

    They are those of the window, and the one with least room. One sequence is in
    flight. A chip's first row is at cycle 0.
    """
    program, machine = run.schedule.program, run.prepared.machine
    resident = program.resident
    held = held_over_time(activation_changes(program, machine))
    end = min(window.last_chip, program.chips - 1)
    chips = np.union1d(np.arange(window.first_chip, end + 1), _fullest(run).reshape(1))
    shown = np.isin(held.chip, chips)
    began = held.chip[shown & (held.cycle == 0)]
    # Chips without activations at cycle 0 get a first row all the same.
    idle = chips[~np.isin(chips, began)]
    chip = np.concatenate([idle, held.chip[shown]])
    cycle = np.concatenate([0 * idle, held.cycle[shown]])
    alive = np.concatenate([0 * idle, held.bytes[shown]])
    order = np.lexsort((cycle, chip))
    chip = chip[order]
    table = pd.DataFrame(
        {
            "chip": chip,
            "cycle": cycle[order],
            "weight_bytes": resident.weights[chip],
            "kv_bytes": resident.kv_cache[chip],
            "activation_bytes": resident.activations[chip] + alive[order],
            "program_bytes": resident.program[chip],
        }
    )
    changed = table[["chip", "activation_bytes"]].diff().any(axis=1)
    # The first row has no difference, but is a row.
    table = table[changed | (table.index == 0)].reset_index(drop=True)
    used = table.filter(like="_bytes").sum(axis=1)
    table["free_bytes"] = machine.chip.sram_bytes - used
    return table[list(COLUMNS["sram"])]


def _fullest(run: Run) -> np.ndarray:
    """Return the chip whose SRAM the tables show to be fullest."""
    stages = run.prepared.plan.stages
    chips = np.concatenate([stage.chips for stage in stages])
    total = np.concatenate([stage.memory.total for stage in stages])
    return np.asarray(chips[np.argmax(total)])
