"""How many joules does a token take, and what do sequences in flight save?

Llama-2-70B on 576 chips. All chips draw their published power all the time, whether or
not their stage works, and sequences in flight share it. Links are always on: copper
ones are part of the chips' power, optical ones are added. Hosts are not counted.
"""

from dataclasses import asdict

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.energy import energy_of
from experiments.run.scenario import run_scenario
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import latency_columns
from specs.decode_work import decode_work
from specs.devices import DeviceSpec, devices
from specs.errors import RackError
from specs.model import load_model
from specs.scenario import Scenario

CONTEXTS = (1024, 4096)
SEQUENCES = (1, 2, 4, 8, 16, 32, 64)
QUICK_SEQUENCES = (1, 4)
COLUMNS = {
    "context_tokens": "context",
    "sequences": "sequences",
    "tokens_per_s_per_user": "tokens/s",
    "tokens_per_s": "all users",
    "energy_per_token_j": "J/token",
    "tdp_energy_per_token_j": "at TDP",
    "optical_energy_per_token_j": "optics",
    "h100_bound_j_per_token": "H100 bound",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: energy of a token by sequences, and its figure."""
    rows = [
        _row(context, sequences, seed)
        for context in CONTEXTS
        for sequences in (QUICK_SEQUENCES if quick else SEQUENCES)
    ]
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _row(context: int, sequences: int, seed: int) -> TableRow:
    """Return the experiment's row of one case."""
    scenario = Scenario(
        context=context, sequences=sequences, tokens=1, seed=seed, engine="replay"
    )
    row = {
        "chips": scenario.chips,
        "strategy": scenario.strategy,
        "context_tokens": context,
        "sequences": sequences,
        "h100_bound_j_per_token": _h100_bound_j(scenario),
    }
    try:
        run = run_scenario(scenario)
    except RackError as error:
        return {**row, "feasible": False, "reason": str(error)}
    measured = latency_columns(run)
    rate = measured["tokens_per_s_per_user"] * sequences
    energy = energy_of(run.prepared.machine, run.prepared.topology, rate)
    return {
        **row,
        "feasible": True,
        "tokens_per_s_per_user": measured["tokens_per_s_per_user"],
        "tokens_per_s": rate,
        **asdict(energy),
        "violations": measured["violations"],
        "reason": "",
    }


def _h100_bound_j(scenario: Scenario) -> float:
    """Return the experiment's energy bound of a token on as many H100s, in J."""
    work = decode_work(
        load_model(scenario.model), context=scenario.context, batch=scenario.sequences
    )
    device: DeviceSpec = devices()["h100"]
    count = device.holding(work.held_bytes)
    step_s = device.bound_s(flop=work.flop, read_bytes=work.read_bytes, devices=count)
    assert device.tdp_w is not None
    return device.tdp_w * count * step_s / scenario.sequences


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(7.5, 4.6), layout="constrained")
        axes = figure.subplots()
        for context, part in table[table["feasible"]].groupby("context_tokens"):
            (line,) = axes.plot(
                part["sequences"],
                part["energy_per_token_j"],
                "-o",
                label=f"576 GroqChip1, average power, context {context:,}",
            )
            axes.plot(
                part["sequences"],
                part["tdp_energy_per_token_j"],
                ":",
                color=line.get_color(),
                label=f"at TDP, context {context:,}",
            )
        last = table[table["context_tokens"] == max(CONTEXTS)]
        axes.plot(
            last["sequences"],
            last["h100_bound_j_per_token"],
            "k--",
            label=f"H100 at TDP, FP16, context {max(CONTEXTS):,}: a bound",
        )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        counts = sorted(set(table["sequences"]))
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set(xlabel="sequences in flight", ylabel="energy of a token (J)")
        axes.set_title("Idle stages cost as much as busy ones", loc="left")
        axes.legend(frameon=False, fontsize="small")
    return figure


if __name__ == "__main__":
    run_script("energy_per_token", __doc__ or "", experiment, COLUMNS)
