"""Page of claims: an audit as Markdown, made from its table and the claims alone."""

import math
from collections.abc import Iterator

import pandas as pd

from experiments.audit.claim import DIGITS, Claim, Claims, Outcome

NOT_COMPUTED = "not computed"
_HEAD = """\
# Claims

What public documents claim of these machines, and what the model says. This page is
for readers who met a number elsewhere. `python -m experiments.claims` makes it, and
its table [claims.csv](claims.csv); tests keep both up to date.

A claim **holds** if every measurement of the model meets it, and **does not hold** if
none does. If some do it **depends**, on what is named below its table. Where a number
that is needed is not public, it is **not computed**. Numbers are compared as they are
printed. The claims are in our words. What the model itself assumes is in
[trust.md](trust.md), and how close it comes to published measurements in
[validation.md](validation.md).
"""


def claims_page(table: pd.DataFrame, claims: Claims) -> str:
    """Return docs/claims.md.

    Parameters
    ----------
    table
        Rows as `experiments.audit.audit.audit_table` returns them.
    claims
        The claims that were audited.
    """
    lines = [_HEAD, *_summary(table), ""]
    topics = list(dict.fromkeys(claim.topic for claim in claims.claims))
    for topic in topics:
        lines += [f"## {topic}", ""]
        lines += ["| claim | claimed | the model says | outcome | shown by |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        own = [claim for claim in claims.claims if claim.topic == topic]
        lines += [_row(claim, table[table["claim"] == claim.claim]) for claim in own]
        lines += ["", *_notes(own, table)]
    lines += ["## Sources", ""]
    lines += [
        f'- `{key}`: "{each.title}", {each.publisher}, {each.date}'
        for key, each in sorted(claims.sources.items())
    ]
    return "\n".join(lines) + "\n"


def _summary(table: pd.DataFrame) -> Iterator[str]:
    """Yield how many claims there are of each outcome."""
    outcomes = table.drop_duplicates("claim")["outcome"]
    counts = [int((outcomes == str(each)).sum()) for each in Outcome]
    hold, do_not, depend, unknown = counts
    yield (
        f"Of {len(outcomes)} claims {hold} hold, {do_not} do not, {depend} depend, "
        f"and {unknown} are not computed."
    )


def _row(claim: Claim, rows: pd.DataFrame) -> str:
    """Return the row of a claim."""
    says = "<br>".join(
        f"{number(value)} ({text})"
        for value, text in zip(
            rows["model_says"].tolist(), rows["measured_of"].tolist(), strict=True
        )
    )
    cited = ", ".join(f"`{key}`" for key in claim.sources)
    claimed = f"{claim.claimed} {claim.unit}"
    outcome = rows["outcome"].iloc[0]
    cells = (f"{claim.claim} [{cited}]", claimed, says, outcome, f"`{claim.command}`")
    return f"| {' | '.join(cells)} |"


def _notes(claims: list[Claim], table: pd.DataFrame) -> Iterator[str]:
    """Yield what the claims of a topic depend on, and remarks."""
    for claim in claims:
        outcome = table.loc[table["claim"] == claim.claim, "outcome"].iloc[0]
        said = []
        if outcome == Outcome.DEPENDS and claim.depends_on:
            said.append(f"depends on {claim.depends_on}.")
        if claim.remark:
            said.append(f"{claim.remark}.")
        if said:
            yield f"- {claim.claim}: {' '.join(said)}"
    yield ""


def number(value: float | None) -> str:
    """Return what the model says as it is printed.

    >>> [number(value) for value in (None, 1.00000001, 2367.4, 1.3e-10)]
    ['not computed', '1', '2,367', '1.3e-10']
    """
    if value is None or math.isnan(value):
        return NOT_COMPUTED
    if math.isinf(value):
        return "none"
    rounded = float(f"{value:.{DIGITS}g}")
    return f"{rounded:,.0f}" if rounded >= 10**3 else f"{rounded:g}"
