"""How many chips does a 70B model need, and where do more chips stop helping?

Llama-2-70B decodes at context 4,096. For several tensor widths the pipeline takes what
chips there are; counts at which the model does not fit are shown as such.
"""

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figure import STYLE
from experiments.points import point
from experiments.script import run_script
from specs.scenario import Scenario

WIDTHS = (4, 8, 16, 32)
CHIPS = (64, 144, 256, 320, 352, 416, 512, 576, 864, 1152, 2304)
QUICK_WIDTHS = (8,)
QUICK_CHIPS = (144, 352, 576)
TICKS = (64, 144, 288, 576, 1152, 2304)
DEPLOYED_CHIPS = 576
CAUSES = ("compute", "link", "guard", "deskew", "wait")


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Return the latency at each width and chip count, and its picture."""
    rows = []
    for width in QUICK_WIDTHS if quick else WIDTHS:
        for chips in QUICK_CHIPS if quick else CHIPS:
            strategy = f"tensor={width},pipeline={chips // width}"
            scenario = Scenario(chips=chips, strategy=strategy, tokens=1, seed=seed)
            rows.append({"tensor": width, **point(scenario)})
    table = pd.DataFrame(rows)
    return table, _figure(table)


def _figure(table: pd.DataFrame) -> Figure:
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        by_width = table.groupby("tensor")
        for rank, (marker, (width, part)) in enumerate(
            zip("osD^", by_width, strict=False)
        ):
            fits, refused = part[part["feasible"]], part[~part["feasible"]]
            (line,) = left.plot(
                fits["chips"], fits["latency_us"], f"-{marker}", label=f"tensor={width}"
            )
            # A width has a row of its own at the foot for where it does not fit.
            left.plot(
                refused["chips"],
                [0.03 + 0.035 * rank] * len(refused),
                "x",
                color=line.get_color(),
                transform=left.get_xaxis_transform(),
            )
        left.plot([], [], "kx", label="does not fit")
        left.set_xscale("log", base=2)
        left.set_xticks(TICKS, [f"{tick:,}" for tick in TICKS])
        left.minorticks_off()
        left.set(xlabel="chips", ylabel="latency of a token (us)", ylim=(0, None))
        left.set_title("Latency: width helps, more stages only cost", loc="left")
        left.legend(frameon=False)
        _breakdown(right, table)
    return figure


def _breakdown(axes: Axes, table: pd.DataFrame) -> None:
    """Draw where the time of a token goes at 576 chips, width by width."""
    part = table[table["feasible"] & (table["chips"] == DEPLOYED_CHIPS)]
    labels = [f"tensor={width}" for width in part["tensor"]]
    bottom = pd.Series(0.0, index=part.index)
    for cause in CAUSES:
        axes.bar(labels, part[f"{cause}_us"], bottom=bottom, label=cause)
        bottom += part[f"{cause}_us"]
    axes.set(ylabel="latency of a token (us)")
    axes.set_title("Where it goes at 576 chips", loc="left")
    axes.legend(frameon=False)


if __name__ == "__main__":
    run_script("latency_vs_chips", __doc__ or "", experiment)
