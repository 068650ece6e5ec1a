"""How many tokens should a draft model propose, and when does it pay?

Llama-3-8B drafts for Llama-3-70B on 576 chips, on chips of its own. There is one user.
Drafted tokens are accepted independently at an assumed rate. No constant is fitted.
"""

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.plots.run_figure import STYLE
from experiments.run.speculative_decoding import (
    PlacedModel,
    Speculation,
    SpeculationStep,
    drawn_tokens,
    fastest,
    tokens_per_step,
)
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

TARGET, DRAFT = "llama-3-70b", "llama-3-8b"
CHIPS, CONTEXT = 576, 4096
DRAFT_CHIPS = 72
ACCEPTANCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
DRAFTED = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
QUICK_DRAFTED = (1, 2, 4)
WIDTHS, QUICK_WIDTHS = (8, 16, 24, 36, 72), (8,)
# Positions of the verification for which the strategy of the target is chosen.
_VERIFIED_POSITIONS = 5
STEPS = 10_000
# Published for Llama-3-70B with speculation; draft and acceptance are not.
PUBLISHED_TOKENS_PER_S = 1665
COLUMNS = {
    "acceptance": "accepted",
    "draft_tokens": "drafted",
    "step_us": "step us",
    "draft_us": "draft",
    "verify_us": "verify",
    "tokens_per_step": "tokens",
    "tokens_per_s_per_user": "tokens/s",
    "best": "best",
}


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: rates by draft and acceptance, and the draft needed."""
    machine = load_machine()
    topology = select_topology(CHIPS, "auto")
    chips = topology.active.astype(np.int64)
    widths = QUICK_WIDTHS if quick else WIDTHS

    def placed(name: str, on: NDArray[np.int64], positions: int = 1) -> PlacedModel:
        return fastest(
            load_model(name),
            machine,
            topology,
            on,
            context=CONTEXT,
            widths=widths,
            positions=positions,
        )

    alone = placed(TARGET, chips)
    both = Speculation(
        placed(TARGET, chips[:-DRAFT_CHIPS], _VERIFIED_POSITIONS),
        placed(DRAFT, chips[-DRAFT_CHIPS:]),
    )
    hz = machine.chip.clock_hz
    without = hz / alone.schedule.latency_cycles
    steps = [both.step(count) for count in (QUICK_DRAFTED if quick else DRAFTED)]
    rows = [
        _row(both, step, acceptance, without, seed)
        for acceptance in ACCEPTANCES
        for step in steps
    ]
    table = pd.DataFrame(rows)
    best = table.groupby("acceptance")["tokens_per_s_per_user"].transform("max")
    table["best"] = table["tokens_per_s_per_user"] == best
    draft_us = both.draft.schedule.latency_cycles / hz * 1e6
    needed = pd.DataFrame([_needed(steps, each, draft_us) for each in ACCEPTANCES])
    return table, _figure(table, steps, without), {"needed": needed}


def _row(
    both: Speculation,
    step: SpeculationStep,
    acceptance: float,
    without: float,
    seed: int,
) -> TableRow:
    """Return the experiment's row of one case."""
    drawn = drawn_tokens(acceptance, step.draft_tokens, steps=STEPS, seed=seed)
    rate = step.tokens_per_s(acceptance)
    return {
        "target": TARGET,
        "target_strategy": str(both.target.schedule.plan.strategy),
        "draft": DRAFT,
        "draft_strategy": str(both.draft.schedule.plan.strategy),
        "acceptance": acceptance,
        "draft_tokens": step.draft_tokens,
        "draft_us": step.draft_us,
        "transfer_us": step.transfer_us,
        "verify_us": step.verify_us,
        "step_us": step.step_us,
        "tokens_per_step": tokens_per_step(acceptance, step.draft_tokens),
        "drawn_tokens_per_step": float(drawn.mean()),
        "drawn_p10_tokens": float(np.percentile(drawn, 10)),
        "drawn_p90_tokens": float(np.percentile(drawn, 90)),
        "tokens_per_s_per_user": rate,
        "without_tokens_per_s": without,
        "gain": rate / without,
        "kind": "predicted",
    }


def _needed(
    steps: list[SpeculationStep], acceptance: float, draft_us: float
) -> TableRow:
    """Return the experiment's slowest draft token that reaches the published rate."""

    def left_us(step: SpeculationStep) -> float:
        tokens = tokens_per_step(acceptance, step.draft_tokens)
        fixed_us = step.transfer_us + step.verify_us
        return (tokens / PUBLISHED_TOKENS_PER_S * 1e6 - fixed_us) / step.draft_tokens

    best = max(steps, key=left_us)
    return {
        "acceptance": acceptance,
        "published_tokens_per_s": PUBLISHED_TOKENS_PER_S,
        "draft_tokens": best.draft_tokens,
        "needed_draft_us_per_token": left_us(best),
        "our_draft_us_per_token": draft_us,
        "reachable": left_us(best) > 0,
    }


def _figure(
    table: pd.DataFrame, steps: list[SpeculationStep], without: float
) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        for acceptance, part in table.groupby("acceptance"):
            (line,) = left.plot(
                part["draft_tokens"],
                part["tokens_per_s_per_user"],
                "-o",
                markersize=3,
                label=f"acceptance {acceptance:g}",
            )
            best = part[part["best"]]
            left.plot(
                best["draft_tokens"],
                best["tokens_per_s_per_user"],
                "*",
                markersize=13,
                color=line.get_color(),
            )
        left.axhline(without, color="black", linestyle="--", label="no draft")
        left.axhline(
            PUBLISHED_TOKENS_PER_S, color="grey", linestyle=":", label="published 1,665"
        )
        left.set(xlabel="drafted tokens a step", ylabel="tokens/s for one user")
        left.set_ylim(0, None)
        left.set_title(f"{DRAFT} drafts for {TARGET}; star: best", loc="left")
        left.legend(frameon=False, fontsize="small", loc="upper right", ncols=2)
        left.set_ylim(0, 1.45 * PUBLISHED_TOKENS_PER_S)
        _draw_parts(right, steps)
    return figure


def _draw_parts(axes: Axes, steps: list[SpeculationStep]) -> None:
    """Draw the experiment's time of a step by part."""
    labels = [str(step.draft_tokens) for step in steps]
    bottom = np.zeros(len(steps))
    for name in ("draft_us", "transfer_us", "verify_us"):
        part = np.array([getattr(step, name) for step in steps])
        axes.bar(labels, part, bottom=bottom, label=name.removesuffix("_us"))
        bottom += part
    axes.set(xlabel="drafted tokens a step", ylabel="time of a step (us)")
    axes.set_title("Where a step's time goes", loc="left")
    axes.legend(frameon=False)


if __name__ == "__main__":
    run_script("speculative_decoding", __doc__ or "", experiment, COLUMNS, digits=2)
