"""What do documents claim of these machines, and which of it does the model confirm?

Claims of public documents and of the press, each beside measurements of the model: it
holds if all meet it, does not hold if none does, and depends if some do. The run also
leaves the page `claims.md`. The quick run leaves out claims that take long.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.audit.audit import audit_table
from experiments.audit.claim import Outcome, load_claims
from experiments.audit.claims_page import claims_page
from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script

COLUMNS = {
    "measure": "measurement",
    "least": "least",
    "most": "most",
    "model_says": "model says",
    "outcome": "outcome",
}
_COLOURS = {
    Outcome.HOLDS: "C2",
    Outcome.DEPENDS: "C1",
    Outcome.DOES_NOT_HOLD: "C3",
    Outcome.NOT_COMPUTED: "0.7",
}


def experiment(seed: int, quick: bool) -> tuple[pd.DataFrame, Figure]:
    """Run the experiment: every claim measured, and the figure of outcomes.

    Its measurements have the seed with which the page of claims is made, whatever the
    seed.
    """
    del seed
    table = audit_table(quick=quick)
    return table, _figure(table)


def page(table: pd.DataFrame) -> str:
    """Return the page of claims of the experiment's table."""
    asked = set(table["claim"])
    all_claims = load_claims()
    of_table = tuple(each for each in all_claims.claims if each.claim in asked)
    return claims_page(table, all_claims.model_copy(update={"claims": of_table}))


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure: outcomes by topic."""
    each = table.drop_duplicates("claim")
    counts = pd.crosstab(each["topic"], each["outcome"])
    counts = counts.loc[list(dict.fromkeys(each["topic"]))]
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        left = pd.Series(0, index=counts.index)
        for outcome, colour in _COLOURS.items():
            if outcome in counts:
                width = counts[outcome]
                axes.barh(
                    counts.index.to_numpy(),
                    width.to_numpy(),
                    left=left.to_numpy(),
                    color=colour,
                    label=str(outcome),
                )
                left = left + width
        axes.invert_yaxis()
        axes.set(xlabel="claims")
        axes.set_title("What the model says of claims", loc="left")
        axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    run_script("claims", __doc__ or "", experiment, COLUMNS, digits=4, page=page)
