"""How many joules does a token take, and what do sequences in flight save?

Llama-2-70B on 576 chips. A chip draws its idle power all the time, whether or not its
stage works, and sequences in flight share it; operations take the same for each token.
Links are always on: copper ones are part of the chips' power, optical ones are added.
Hosts are not counted. A second table sweeps what is not published: energies of the
operations, which leave the more for idle chips the less they are.
"""

from dataclasses import asdict
from typing import NamedTuple

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.energy import energy_of, run_energy
from experiments.run.scenario import Run, run_scenario
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
# Energies that are not published, from low to high.
SWEPT: dict[str, tuple[float, ...]] = {
    "power.operation_scale": (0.25, 0.5, 0.75),
    "power.stream_mm": (3, 7, 12),
    "power.port_pj_per_bit": (2, 5.5, 10),
    "power.port_idle_share": (0, 0.5, 1),
}
COLUMNS = {
    "context_tokens": "context",
    "sequences": "sequences",
    "tokens_per_s_per_user": "tokens/s",
    "energy_per_token_j": "J/token",
    "idle_energy_per_token_j": "idle",
    "dynamic_energy_per_token_j": "dynamic",
    "tdp_energy_per_token_j": "at TDP",
    "h100_bound_j_per_token": "H100 bound",
}


class _Case(NamedTuple):
    """A case of the experiment: its row, and its run if it is feasible."""

    row: TableRow
    run: Run | None


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: energy of a token, its figure, and what is not published."""
    counts = QUICK_SEQUENCES if quick else SEQUENCES
    cases = [
        _case(context, sequences, seed) for context in CONTEXTS for sequences in counts
    ]
    table = pd.DataFrame([case.row for case in cases])
    ran = [case for case in cases if case.run is not None]
    swept = [row for case in (ran[0], ran[-1]) for row in _swept(case)]
    return table, _figure(table), {"assumed": pd.DataFrame(swept)}


def _case(context: int, sequences: int, seed: int) -> _Case:
    """Return the experiment's case of a context and of sequences in flight."""
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
        return _Case({**row, "feasible": False, "reason": str(error)}, None)
    measured = latency_columns(run)
    rate = measured["tokens_per_s_per_user"] * sequences
    measured_row = {
        **row,
        "feasible": True,
        "tokens_per_s_per_user": measured["tokens_per_s_per_user"],
        "tokens_per_s": rate,
        **asdict(run_energy(run, rate)),
        "violations": measured["violations"],
        "reason": "",
    }
    return _Case(measured_row, run)


def _swept(case: _Case) -> list[TableRow]:
    """Return the experiment's rows of a case with other energies of operations.

    They change no schedule, so that its program is counted again.
    """
    run, row = case.run, case.row
    assert run is not None
    prepared, rows = run.prepared, []
    for setting, values in SWEPT.items():
        for value in values:
            energy = energy_of(
                run.schedule.program,
                prepared.topology,
                prepared.machine.with_settings({setting: value}),
                tokens_per_s=row["tokens_per_s"],
            )
            asked = {name: row[name] for name in ("context_tokens", "sequences")}
            rows.append({**asked, "setting": setting, "value": value, **asdict(energy)})
    return rows


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
                label=f"576 GroqChip1, context {context:,}",
            )
            axes.plot(
                part["sequences"],
                part["dynamic_energy_per_token_j"],
                ":",
                color=line.get_color(),
                label=f"of that operations, context {context:,}",
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
        axes.set_title("Nearly all of it is drawn by chips that wait", loc="left")
        axes.legend(frameon=False, fontsize="small")
    return figure


if __name__ == "__main__":
    run_script("energy_per_token", __doc__ or "", experiment, COLUMNS)
