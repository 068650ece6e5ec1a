"""Figure of paired machines: rate of a user against that of all, by way to decode."""

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from experiments.plots.run_figure import STYLE
from specs.units import ceil_div

_WAYS = {
    "none": ("o", "machine alone"),
    "prefill": ("s", "prompts on GPUs"),
    "attention": ("D", "attention on GPUs"),
    "draft": ("^", "drafts here"),
    "draft devices": ("v", "drafts on GPUs"),
    "devices": ("x", "GPUs alone (bound)"),
}


def pairing_figure(table: pd.DataFrame) -> Figure:
    """Return the figure of a table of paired points, a panel for each case."""
    ran = table[table["feasible"]]
    cases = list(ran.groupby(["model", "machine"], sort=False))
    with matplotlib.style.context(STYLE):
        columns = min(2, len(cases))
        rows = ceil_div(len(cases), columns)
        figure = Figure(figsize=(5.2 * columns, 3.7 * rows + 1), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for each, ((model, _), part) in zip(axes, cases, strict=False):
            _panel(each, part)
            pairing = part["pairing"].iloc[0]
            each.set_title(f"{model}, {pairing}", loc="left")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3, fontsize="small"
        )
    return figure


def _panel(axes: Axes, part: pd.DataFrame) -> None:
    """Draw the paired points of a case, lines through those of a way."""
    per_mw = part["tokens_per_s_per_mw"].notna().all()
    column = "tokens_per_s_per_mw" if per_mw else "tokens_per_s"
    for number, (way, (marker, label)) in enumerate(_WAYS.items()):
        kind, _, drafter = way.partition(" ")
        rows = part[part["kind"] == kind]
        if kind == "draft":
            rows = rows[rows["drafter"] == (drafter or "machine")]
        rows = rows.sort_values("users")
        axes.plot(
            rows["tokens_per_s_per_user"],
            rows[column],
            f"-{marker}",
            color=f"C{number}",
            markersize=5,
            label=label,
        )
    front = part[part["pareto"]].sort_values("tokens_per_s_per_user")
    axes.plot(
        front["tokens_per_s_per_user"], front[column], color="0.75", lw=5, zorder=0
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    # Those of tens alone leave some panels without a number.
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    what = "tokens/s per MW" if per_mw else "tokens/s, all users (MW not computed)"
    axes.set(xlabel="tokens/s for one user", ylabel=what)
