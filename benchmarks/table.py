"""One table of what each step costs, beside what the machine can do at that minute.

``python -m benchmarks.table --out bench.json`` keeps it as JSON, which
``python -m benchmarks.compare`` compares with another. Times are CPU seconds. The
equivalent of a figure is its time times the rate of its reference, measured just
before: it says how many raw SimPy timeouts, or bytes that NumPy moves, a step is worth.
"""

import argparse
import json
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import MACHINES, Figure, figures
from benchmarks.references import REFERENCES
from experiments.run.scenario import peak_rss_bytes
from experiments.run.version import VERSION

SCHEMA = "groqrack-fabric/bench/1"
# A slope of two points is no fit.
_LEAST_POINTS = 3


def exponents(rows: Sequence[Figure]) -> dict[str, float]:
    """Return by which power of the number of chips each figure grows.

    The slope of a straight line through the logarithms, by least squares, of figures
    that are measured on three machines or more.
    """
    found = {}
    for name in dict.fromkeys(row.name for row in rows):
        of = [row for row in rows if row.name == name and row.chips]
        if len(of) >= _LEAST_POINTS:
            chips, spent = np.log([[row.chips, row.equivalent] for row in of]).T
            found[name] = round(float(np.polyfit(chips, spent, 1)[0]), 3)
    return found


def document(rows: Sequence[Figure]) -> dict[str, Any]:
    """Return the table as it is kept."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "commit": _commit(),
        "python": platform.python_version(),
        "processor": platform.machine(),
        "references": REFERENCES,
        "figures": [row._asdict() | {"equivalent": row.equivalent} for row in rows],
        "exponents": exponents(rows),
        "peak_rss_bytes": peak_rss_bytes(),
    }


def line(row: Figure) -> str:
    """Return a figure as the table shows it."""
    chips = f"{row.chips:,}" if row.chips else ""
    return (
        f"{row.name:<22}{chips:>8}{row.cpu_s:>12.5f}   {row.reference:<6}"
        f"{row.reference_per_s:>16,.0f}{row.equivalent:>18,.0f}"
    )


def _commit() -> str:
    """Return the commit that is measured, empty outside of a repository."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def main(words: list[str] | None = None) -> None:
    """Measure, print a line for each figure, and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="file to keep the table in, as JSON")
    parser.add_argument("--most-chips", type=int, default=max(MACHINES))
    options = parser.parse_args(words)
    print(
        f"{'figure':<22}{'chips':>8}{'CPU s':>12}   {'beside':<6}{'a CPU second':>16}"
        f"{'equivalent':>18}"
    )
    rows = []
    for row in figures([chips for chips in MACHINES if chips <= options.most_chips]):
        print(line(row), flush=True)
        rows.append(row)
    made = document(rows)
    for name, exponent in made["exponents"].items():
        print(f"{name:<22}grows as chips^{exponent:.2f}")
    print(f"peak memory {made['peak_rss_bytes'] / 1e9:.2f} GB")
    if options.out:
        options.out.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
