"""How fast can other devices decode at most, and where does batching stop paying?

Bounds, not measurements: Llama-2-70B in FP16 at context 4,096 on the fewest devices
that hold it, with all bandwidth and compute used and no communication. Beside them are
simulations of the deployment and of a rack of LP30.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.scenario_inputs import scenario_of
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import scenario_row
from specs.decode_work import decode_work
from specs.devices import DeviceSpec, devices
from specs.machine import load_machine
from specs.model import ModelSpec, load_model

MODEL = "llama-2-70b"
CONTEXT = 4096
# Hundreds of chips are bound by the fabric between them, so they are simulated: a bound
# without communication says little, as for WSE-3.
SIMULATED = {"groqchip1": "groqrack", "lp30": "lpx"}
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
QUICK_BATCHES = (1, 64, 1024)
# A device has the same colour in both panels; the style has ten.
_PALETTE = [*(f"C{rank}" for rank in range(10)), "black", "0.6"]
COLOURS = dict(zip((each.name for each in devices().values()), _PALETTE, strict=False))
INTENSITIES = np.logspace(-1, 4, 101)
COLUMNS = {
    "device": "device",
    "kind": "kind",
    "devices": "devices",
    "batch": "batch",
    "ridge_flop_per_byte": "ridge",
    "tokens_per_s_per_user": "tokens/s",
    "tokens_per_s": "all users",
    "joules_per_token": "J/token",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: bound of each device at each batch, and the rooflines."""
    model = load_model(MODEL)
    rows = [
        _bound(name, device, model, batch)
        for name, device in devices().items()
        if name not in SIMULATED
        for batch in (QUICK_BATCHES if quick else BATCHES)
    ]
    rows += [_simulated(*names, seed) for names in SIMULATED.items()]
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _bound(name: str, device: DeviceSpec, model: ModelSpec, batch: int) -> TableRow:
    """Return the experiment's row of the bound of a device."""
    work = decode_work(model, context=CONTEXT, batch=batch)
    count = device.holding(work.held_bytes)
    step_s = device.bound_s(flop=work.flop, read_bytes=work.read_bytes, devices=count)
    joules = None if device.tdp_w is None else device.tdp_w * count * step_s / batch
    return {
        "name": name,
        "device": device.name,
        "kind": "bound",
        "devices": count,
        "batch": batch,
        "ridge_flop_per_byte": device.ridge_flop_per_byte,
        "intensity_flop_per_byte": work.flop / work.read_bytes,
        "tokens_per_s_per_user": 1 / step_s,
        "tokens_per_s": batch / step_s,
        "joules_per_token": joules,
        "violations": 0,
    }


def _simulated(name: str, machine: str, seed: int) -> TableRow:
    """Return the experiment's row of a whole machine with FP8 weights, simulated."""
    asked = {"model": MODEL, "context": CONTEXT, "tokens": 1, "seed": seed}
    scenario = scenario_of({**asked, "machine": machine}, name)
    run = scenario_row(scenario)
    device, power = devices()[name], load_machine(machine).power.chip_tdp_w
    rate = run["tokens_per_s_per_user"]
    return {
        "name": name,
        "device": device.name,
        "kind": "simulated",
        "devices": run["chips"],
        "batch": 1,
        "ridge_flop_per_byte": device.ridge_flop_per_byte,
        "tokens_per_s_per_user": rate,
        "tokens_per_s": rate,
        "joules_per_token": None if power is None else power * run["chips"] / rate,
        "violations": run["violations"],
    }


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        _rooflines(left)
        _users(right, table)
    return figure


def _rooflines(axes: Axes) -> None:
    """Draw the experiment's roofline of each device over operations per byte read."""
    for device in devices().values():
        attained = np.minimum(
            device.compute_tflops, INTENSITIES * device.memory_tb_per_s
        )
        colour = COLOURS[device.name]
        axes.plot(INTENSITIES, attained, color=colour, label=device.name)
        ridge = device.ridge_flop_per_byte
        axes.plot(ridge, device.compute_tflops, "o", color=colour, markersize=4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="operations per byte read", ylabel="TFLOPS at most, per device")
    axes.set_title("Published peaks; a dot is the ridge point", loc="left")
    axes.legend(frameon=False, fontsize="small")


def _users(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the experiment's rate per user over the aggregate rate."""
    for label, part in table[table["kind"] == "bound"].groupby("device", sort=False):
        axes.plot(
            part["tokens_per_s"],
            part["tokens_per_s_per_user"],
            "-o",
            color=COLOURS[str(label)],
            markersize=3,
            label=f"{label}, bound",
        )
    for label, ours in table[table["kind"] == "simulated"].groupby("device"):
        axes.plot(
            ours["tokens_per_s"],
            ours["tokens_per_s_per_user"],
            "*",
            color=COLOURS[str(label)],
            markersize=12,
            label=f"{ours['devices'].iloc[0]} {label}, FP8, simulated",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="tokens/s, all users", ylabel="tokens/s for one user")
    axes.set_title("Llama-2-70B: batch 1 to 1,024", loc="left")
    axes.legend(frameon=False, fontsize="small")


if __name__ == "__main__":
    run_script("roofline", __doc__ or "", experiment, COLUMNS)
