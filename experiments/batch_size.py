"""What do more users cost each of them, and where does batching stop paying?

Llama-2-70B with weights in FP8 on all chips of each generation: users decoded together
as a batch, or as sequences in flight in the pipeline. Beside them are bounds of other
devices, not measurements: FP16 on the fewest devices that hold model and users, with
all bandwidth and compute used and no communication. If SRAM does not hold the users,
the row has the reason.
"""

from dataclasses import asdict

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.energy import run_energy
from experiments.run.scenario import run_scenario
from experiments.run.scenario_inputs import scenario_of
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.tables.scenario_rows import latency_columns
from specs.decode_work import decode_work
from specs.devices import DeviceSpec, devices
from specs.errors import RackError
from specs.model import ModelSpec, load_model

MODEL = "llama-2-70b"
MACHINES = {"groqrack": "GroqChip1", "lpx": "LP30"}
BOUNDS = ("a100", "h100", "h200", "wse3", "sn40l")
CONTEXTS = (1024, 4096)
USERS = (1, 2, 4, 8, 16, 32, 64)
QUICK_USERS = (1, 8, 64)
WAYS = {"batch": "a batch", "sequences": "in flight"}
COLUMNS = {
    "device": "device",
    "way": "users",
    "context_tokens": "context",
    "users": "n",
    "devices": "chips",
    "latency_us": "token us",
    "tokens_per_s_per_user": "tokens/s",
    "tokens_per_s": "all users",
    "ridge_batch": "ridge n",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency and throughput by users, and their figure."""
    model = load_model(MODEL)
    contexts = CONTEXTS[1:] if quick else CONTEXTS
    points = [
        (c, users) for c in contexts for users in (QUICK_USERS if quick else USERS)
    ]
    rows = [
        _simulated(machine, way, context, users, seed)
        for machine in list(MACHINES)[1 if quick else 0 :]
        for way in WAYS
        for context, users in points
    ]
    rows += [
        _bound(devices()[name], model, context, users)
        for name in BOUNDS
        for context, users in points
    ]
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _simulated(machine: str, way: str, context: int, users: int, seed: int) -> TableRow:
    """Return the experiment's row of a simulated machine."""
    scenario = scenario_of(
        {
            "model": MODEL,
            "machine": machine,
            "context": context,
            way: users,
            "tokens": 1,
            "seed": seed,
            "engine": "replay",
        },
        "batch_size",
    )
    row = {
        "device": MACHINES[machine],
        "kind": "simulated",
        "way": WAYS[way],
        "context_tokens": context,
        "users": users,
        "devices": scenario.chips,
        "strategy": scenario.strategy,
        "ridge_flop_per_byte": None,
        "ridge_batch": None,
    }
    try:
        run = run_scenario(scenario)
    except RackError as error:
        return {**row, "feasible": False, "reason": str(error)}
    measured = latency_columns(run)
    rate = measured["tokens_per_s_per_user"] * users
    return {
        **row,
        "feasible": True,
        **measured,
        "tokens_per_s": rate,
        **asdict(run_energy(run, rate)),
        "reason": "",
    }


def _bound(device: DeviceSpec, model: ModelSpec, context: int, users: int) -> TableRow:
    """Return the experiment's row of the bound of a device."""
    work = decode_work(model, context=context, batch=users)
    count = device.holding(work.held_bytes)
    step_s = device.bound_s(flop=work.flop, read_bytes=work.read_bytes, devices=count)
    return {
        "device": device.name,
        "kind": "bound",
        "way": WAYS["batch"],
        "context_tokens": context,
        "users": users,
        "devices": count,
        "ridge_flop_per_byte": device.ridge_flop_per_byte,
        "ridge_batch": ridge_batch(device, model, context),
        "feasible": True,
        "latency_us": step_s * 1e6,
        "tokens_per_s_per_user": 1 / step_s,
        "tokens_per_s": users / step_s,
        "violations": 0,
        "reason": "",
    }


def ridge_batch(device: DeviceSpec, model: ModelSpec, context: int) -> float | None:
    """Return the experiment's batch at which compute becomes the bound, None if never.

    Weights are read once a step, the KV cache once for each user. So with a long
    context the intensity never reaches the ridge. The model is dense: its work is
    linear in the batch.
    """
    one, two = (decode_work(model, context=context, batch=n) for n in (1, 2))
    per_user_bytes = two.read_bytes - one.read_bytes
    fixed_bytes = one.read_bytes - per_user_bytes
    ridge = device.ridge_flop_per_byte
    excess_flop = one.flop - ridge * per_user_bytes
    return ridge * fixed_bytes / excess_flop if excess_flop > 0 else None


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    context = min(table["context_tokens"])
    drawn = table[table["feasible"] & (table["context_tokens"] == context)]
    drawn = drawn.assign(every_us=1e6 / drawn["tokens_per_s_per_user"].astype(float))
    counts = sorted(set(drawn["users"]))
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(12.5, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        for axes, column in ((left, "every_us"), (right, "tokens_per_s")):
            _lines(axes, drawn, column)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(counts, [str(count) for count in counts])
            axes.minorticks_off()
            axes.set_xlabel("users")
        left.set_ylabel("time from a user's token to the next (us)")
        left.set_title("A batch slows its users down at once", loc="left")
        right.set_ylabel("tokens/s, all users")
        right.set_title("Sequences in flight fill idle stages first", loc="left")
        figure.legend(
            *right.get_legend_handles_labels(),
            loc="outside right center",
            frameon=False,
            fontsize="small",
        )
        figure.suptitle(f"Llama-2-70B at context {context:,}", fontsize="large")
    return figure


def _lines(axes: Axes, drawn: pd.DataFrame, column: str) -> None:
    """Draw the experiment's lines over users: simulated with markers, bounds dashed."""
    styles = {"a batch": "-o", "in flight": "-s"}
    for place, (device, part) in enumerate(drawn.groupby("device", sort=False)):
        for way, rows in part.groupby("way", sort=False):
            simulated = rows["kind"].iloc[0] == "simulated"
            ridge = rows["ridge_batch"].iloc[0]
            note = f"{rows['devices'].iloc[0]} {device}, {way}"
            if not simulated:
                found = f"ridge at {ridge:,.0f} users" if ridge > 0 else "no ridge"
                note = f"{device}, FP16: a bound, {found}"
            axes.plot(
                rows["users"],
                rows[column],
                styles[str(way)] if simulated else "--",
                color=f"C{place}",
                fillstyle="none" if way == "in flight" else "full",
                label=note,
            )


if __name__ == "__main__":
    run_script("batch_size", __doc__ or "", experiment, COLUMNS)
