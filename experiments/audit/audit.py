"""Audit: every claim measured, as a table, and the fingerprint of what it rests on."""

import hashlib

import pandas as pd

from experiments.audit.claim import Claims, claims_path, load_claims, outcome_of
from experiments.audit.measures import MEASURES
from experiments.tables.columns import TableRow
from specs.shipped_files import shipped_path

# Models that measurements run.
MODELS = ("llama-2-70b", "llama-2-7b", "llama-3-70b", "llama-3-8b", "mixtral-8x7b")
# Enough to tell two versions apart.
_FINGERPRINT_LETTERS = 16


def audit_table(*, quick: bool = False, claims: Claims | None = None) -> pd.DataFrame:
    """Return the table of an audit: a row for each measurement of each claim.

    Parameters
    ----------
    quick
        Whether to leave out claims with a measurement that takes long.
    claims
        Claims to audit; the shipped ones if None.
    """
    rows: list[TableRow] = []
    for claim in (claims or load_claims()).claims:
        if quick and any(MEASURES[name].long for name in claim.measures):
            continue
        values = [measured(name) for name in claim.measures]
        says = outcome_of(claim, values)
        rows += [
            {
                "topic": claim.topic,
                "claim": claim.claim,
                "least": claim.least,
                "most": claim.most,
                "unit": claim.unit,
                "measure": name,
                "measured_of": MEASURES[name].text,
                "model_says": value,
                "met": None if value is None else claim.met_by(value),
                "outcome": str(says),
                "sources": " ".join(claim.sources),
                "command": claim.command,
                "fingerprint": fingerprint(),
            }
            for name, value in zip(claim.measures, values, strict=True)
        ]
    return pd.DataFrame(rows)


def measured(name: str) -> float | None:
    """Return what the model says: the audit's measurement of a name.

    None if it cannot be computed, for want of a published number.
    """
    value = MEASURES[name].run()
    return None if value is None else float(value)


def fingerprint() -> str:
    """Return the fingerprint of an audit: a digest of the data that it rests on.

    The claims, the machine, prices, and the configs of models that are run.
    """
    files = [claims_path(), shipped_path("machines", "groqrack.toml")]
    files.append(shipped_path("costs", "default.toml"))
    files += [shipped_path("models", f"{name}.json") for name in MODELS]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:_FINGERPRINT_LETTERS]
