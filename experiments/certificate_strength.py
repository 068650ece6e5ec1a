"""What does the verifier refuse of programs that were tampered with?

Valid schedules are sabotaged in every kind of `experiments.sabotage`: in their
instructions alone, in what they state about them alone, or in both so that they agree,
as if the compiler lied. What the verifier lets pass is harmless if the program does
what it did: nothing differs, or only times, with which the simulated hardware loses
nothing. Anything else that passes is missed. Programs of small models and of
collectives are executed with numbers as well, to count those that compute others or
cannot be executed.
"""

import hashlib
from itertools import islice

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compiler.verify import verify
from experiments.plots.run_figure import STYLE
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.judgement import judged
from experiments.sabotage.kinds import KINDS, applies
from experiments.sabotage.schedules import quick_schedules, schedules
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow

DRAWS, QUICK_DRAWS = 100, 1
_GROUP = ["family", "kind", "variant"]
COLUMNS = {
    "family": "of a",
    "kind": "kind",
    "variant": "changed",
    "caught": "caught",
    "missed": "missed",
}
_VERDICTS = ("caught", "harmless", "missed")


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: what is caught of each kind, and its figure."""
    rows = []
    for case in islice(quick_schedules(), 1) if quick else schedules():
        # What is refused says something only if the program held before.
        verify(case.program, case.topology, case.machine, plan=case.plan)
        draws = QUICK_DRAWS if quick else DRAWS
        rows += [_row(case, sabotage, seed, draws) for sabotage in KINDS]
    apart = pd.DataFrame(rows)
    counts = ["draws", *_VERDICTS, "executed", "differ"]
    # A graph has few rules; its draws are counted with those of models.
    families = apart["family"].replace("graph", "model")
    kinds = apart.assign(family=families).groupby(_GROUP, sort=False)
    table = kinds[counts].sum().reset_index()
    return table, _figure(table), {"schedules": apart}


def _row(case: SabotageCase, sabotage: Sabotage, seed: int, draws: int) -> TableRow:
    """Return the experiment's row of one kind and schedule.

    Draws are 0 where a schedule has nothing of the kind to change.
    """
    row: TableRow = {
        "schedule": case.name,
        "family": case.family,
        "kind": sabotage.kind,
        "variant": sabotage.variant,
        "applies": applies(case, sabotage),
        "draws": 0,
        **dict.fromkeys(_VERDICTS, 0),
        "executed": 0,
        "differ": 0,
        "message": "",
    }
    if not row["applies"]:
        return row
    # The draws of a kind stay when other kinds come.
    words = f"{case.name} {sabotage.kind} {sabotage.variant} {seed}"
    state = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")
    random = np.random.default_rng(state)
    made = [
        judged(case, sabotage, random)
        for _ in range(draws if sabotage.is_random else 1)
    ]
    for verdict in _VERDICTS:
        row[verdict] = sum(one.verdict == verdict for one in made)
    known = [one.differs for one in made if one.differs is not None]
    row["executed"], row["differ"] = len(known), sum(known)
    row["draws"] = sum(one.verdict != "none" for one in made)
    row["message"] = next((one.message for one in made if one.message), "")
    return row


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table: a bar for each kind."""
    drawn = table[table["draws"] > 0]
    labels = [f"{row.family}: {row.kind}, {row.variant}" for row in drawn.itertuples()]
    place = np.arange(len(drawn))
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(9, 1.4 + 0.19 * len(drawn)), layout="constrained")
        axes = figure.subplots()
        left = np.zeros(len(drawn))
        for verdict, color in zip(_VERDICTS, ("C0", "0.75", "C2"), strict=True):
            share = 100 * (drawn[verdict] / drawn["draws"]).to_numpy(dtype=float)
            axes.barh(place, share, left=left, color=color, label=verdict)
            left += share
        axes.set_yticks(place, labels, fontsize=7)
        axes.invert_yaxis()
        axes.margins(y=0.01)
        axes.set(xlabel="share of draws (%)", xlim=(0, 100))
        axes.set_title("What the verifier refuses", loc="left")
        axes.legend(frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    return figure


if __name__ == "__main__":
    run_script("certificate_strength", __doc__ or "", experiment, COLUMNS)
