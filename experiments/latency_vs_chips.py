"""How many chips does a 70B model need, and where do more chips stop helping?

Llama-2-70B decodes at context 4,096. At each number of chips there is the planner's
best strategy, and for comparison fixed tensor widths with a pipeline over all chips.
Below the fewest chips that hold the model no strategy fits. Options name another model,
machine, topology and other numbers of chips; several topologies are compared by the
planner's best on each, on chips placed by the paths of each.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.run.preparation import AUTO
from experiments.run.scenario_inputs import model_of, scenario_of
from experiments.script.checkpoint import Checkpoint
from experiments.script.experiment_script import Choosable, Subject, run_script
from experiments.tables.scenario_rows import best_strategy_row, scenario_row
from specs.errors import PlanError
from specs.scenario import Scenario

BEST = "best"
WIDTHS = (8, 32)
# 310 is the fewest that hold the model's bytes; racks are of 72.
CHIPS = (64, 144, 288, 309, 310, 320, 336, 360, 432, 504, 576, 648, 720, 864, 1152)
MODEL = "llama-2-70b"
# The planner takes seconds for a small model on few chips.
QUICK_MODEL = "llama-2-7b"
QUICK_WIDTHS = (8,)
QUICK_CHIPS = (32, 40, 64)
RACK_CHIPS = 72
CAUSES = ("compute", "link", "guard", "alignment", "deskew", "fec", "wait")
# More chips stop helping where no larger machine gains this share.
_WORTHWHILE = 0.005
COLUMNS = {
    "topology": "topology",
    "split": "split",
    "chips": "chips",
    "strategy": "strategy",
    "latency_us": "us",
    "compute_us": "compute us",
    "link_us": "link us",
}


@Choosable.comparing
def experiment(
    seed: int, quick: bool, checkpoint: Checkpoint, subject: Subject
) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: latency of strategies by chip count, and its figure."""
    rows = []
    own = {"model": QUICK_MODEL if quick else MODEL}
    asked = {**own, **subject.scenario}
    compared, shown = len(subject.topologies) > 1, shown_names(subject.topologies)
    for chips in subject.chips or (QUICK_CHIPS if quick else CHIPS):
        content = {**asked, "chips": chips, "strategy": AUTO, "tokens": 1}
        content |= {"seed": seed, "engine": "replay"}
        for name in subject.topologies if compared else ():
            there = content | {"topology": name, "placement": "auto"}
            row = checkpoint.result(best_strategy_row, _scenario(there))
            rows.append({"topology": shown[name], "split": BEST, **row})
        if compared:
            continue
        scenario = _scenario(content)
        rows.append({"split": BEST, **checkpoint.result(best_strategy_row, scenario)})
        widths = QUICK_WIDTHS if quick else WIDTHS
        for width in (each for each in widths if each <= chips):
            strategy = f"tensor={width},pipeline={chips // width}"
            fixed = scenario.model_copy(update={"strategy": strategy})
            rows.append(
                {"split": f"tensor={width}", **checkpoint.result(scenario_row, fixed)}
            )
    if not any(row["feasible"] for row in rows):
        raise PlanError(
            f"no number of chips holds {asked['model']}; name others with --chips: "
            f"{rows[-1]['reason']}"
        )
    # Nullable integers, since refused rows have none.
    whole = {"chips_used": "Int64", "racks_used": "Int64"}
    table = pd.DataFrame(rows).astype(whole)
    if compared:
        return table, _topologies_figure(table, asked["model"])
    names = (asked["model"], *(v for k, v in subject.scenario.items() if k != "model"))
    return table, _figure(table, ", ".join(names), racks="topology" not in asked)


def shown_names(topologies: Sequence[str]) -> dict[str, str]:
    """Return the experiment's names of topologies: of files without their folders.

    Files of one name in several folders keep theirs.
    """
    short = [Path(name).name for name in topologies]
    unique = len(set(short)) == len(short)
    return dict(zip(topologies, short if unique else topologies, strict=True))


def _scenario(content: Mapping[str, object]) -> Scenario:
    """Return the experiment's scenario, at a context that its model has."""
    scenario = scenario_of(content, "latency_vs_chips")
    context = min(scenario.context, model_of(scenario).max_context_tokens)
    return scenario.model_copy(update={"context": context})


def _topologies_figure(table: pd.DataFrame, model: str) -> Figure:
    """Return the experiment's figure of several topologies: latency and its parts."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        fits = table[table["feasible"]]
        for marker, (name, part) in zip(
            cycle("oD^sv"), fits.groupby("topology", sort=False), strict=False
        ):
            (line,) = left.plot(
                part["chips"],
                part["latency_us"],
                f"-{marker}",
                label=str(name),
            )
            share = part["link_us"] / part["latency_us"]
            right.plot(part["chips"], share, f"-{marker}", color=line.get_color())
        refused = table[~table["feasible"]]
        if len(refused):
            at = [0.0] * len(refused)
            left.plot(refused["chips"], at, "x", color="0.35", clip_on=False)
            left.plot([], [], "x", color="0.35", label="refused")
        left.set(ylim=(0, 1.12 * fits["latency_us"].max()))
        left.set(xlabel="chips", ylabel="latency of a token (us)")
        left.set_title(f"{model}: one user's token, best split on each", loc="left")
        left.legend(frameon=False)
        right.set(xlabel="chips", ylabel="share of links in the latency", ylim=(0, 1))
        right.set_title("What of it the links take", loc="left")
    return figure


def _figure(table: pd.DataFrame, model: str, *, racks: bool) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        fits = table[table["feasible"]]
        for marker, (split, part) in zip(
            "oD^", fits.groupby("split", sort=False), strict=False
        ):
            wide = 2.2 if split == BEST else 1.2
            label = "the planner's best" if split == BEST else str(split)
            left.plot(
                part["chips"],
                part["latency_us"],
                f"-{marker}",
                lw=wide,
                ms=5,
                label=label,
            )
        best = fits[fits["split"] == BEST]
        _cliff(left, table, best)
        _refused(left, table, int(best["chips"].min()))
        if racks:
            _racks(left, int(best["chips"].max()))
        left.set(
            xlabel="chips",
            ylabel="latency of a token (us)",
            ylim=(0, 1.12 * fits["latency_us"].max()),
        )
        left.set_title(f"{model}: one user's token", loc="left")
        left.legend(frameon=False, loc="lower right")
        _breakdown(right, best)
    return figure


def _cliff(axes: Axes, table: pd.DataFrame, best: pd.DataFrame) -> None:
    """Mark the experiment's chip counts that do not fit or no longer help."""
    fewest = int(best["chips"].min())
    first = min(int(table["chips"].min()), fewest)
    if first < fewest:
        axes.axvspan(first, fewest, color="0.9", zorder=0)
        axes.text(
            (first + fewest) / 2,
            0.2,
            f"does not fit\nbelow {fewest} chips",
            transform=axes.get_xaxis_transform(),
            ha="center",
            color="0.35",
        )
    # The fewest chips within half a percent of the fastest.
    least = best["latency_us"].min()
    enough = best[best["latency_us"] <= (1 + _WORTHWHILE) * least].iloc[0]
    axes.annotate(
        f"from {enough['chips']:,} chips on\nmore hardly help",
        (enough["chips"], enough["latency_us"]),
        xytext=(12, -42),
        textcoords="offset points",
        arrowprops={"arrowstyle": "->", "color": "0.35"},
    )


def _refused(axes: Axes, table: pd.DataFrame, fewest: int) -> None:
    """Mark the experiment's strategies that are refused where another one fits."""
    refused = table[~table["feasible"] & (table["chips"] >= fewest)]
    if len(refused):
        at = [0.0] * len(refused)
        axes.plot(
            refused["chips"], at, "x", color="tab:red", clip_on=False, label="refused"
        )


def _racks(axes: Axes, most: int) -> None:
    """Draw the experiment's line where each further rack begins."""
    for chips in range(RACK_CHIPS, most + 1, RACK_CHIPS):
        axes.axvline(chips, color="0.8", lw=0.6, zorder=0)
    axes.plot([], [], color="0.8", lw=0.6, label=f"a rack of {RACK_CHIPS} chips more")


def _breakdown(axes: Axes, best: pd.DataFrame) -> None:
    """Draw the experiment's best latency of a token by cause, at each chip count."""
    labels = [
        f"{chips:,}\n" + short.replace(",layout=", "\n").replace(",", "\n")
        for chips, short in zip(
            best["chips"],
            best["strategy"].str.replace("tensor=", "").str.replace(",pipeline=", "x"),
            strict=True,
        )
    ]
    bottom = pd.Series(0.0, index=best.index)
    for cause in CAUSES:
        axes.bar(labels, best[f"{cause}_us"], bottom=bottom, label=cause)
        bottom += best[f"{cause}_us"]
    axes.tick_params(axis="x", labelsize="x-small")
    axes.set(
        xlabel="chips, and tensor x pipeline of the best split",
        ylabel="latency of a token (us)",
        ylim=(0, 1.3 * bottom.max()),
    )
    axes.set_title("Where it goes", loc="left")
    axes.legend(frameon=False, ncols=4, loc="upper right", fontsize="small")


if __name__ == "__main__":
    run_script("latency_vs_chips", __doc__ or "", experiment, COLUMNS)
