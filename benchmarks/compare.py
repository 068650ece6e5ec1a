"""Which figure of one table of benchmarks is slower or faster in another?

``python -m benchmarks.compare before.json after.json`` compares equivalents: times as
work of a reference that was measured in the same minute, so that tables of two
machines, or of a busy and an idle one, compare. Exit code 1 if a figure takes more than
``--limit`` times as much.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.table import SCHEMA

# Two tables of one commit differ by a tenth on a busy machine.
_LIMIT = 1.3


def ratios(
    before: dict[str, Any], after: dict[str, Any]
) -> dict[tuple[str, int], float]:
    """Return after by before of each figure that is in both tables.

    Raises
    ------
    ValueError
        If one of them is no table of benchmarks.
    """
    equivalents = []
    for table in (before, after):
        if table.get("schema") != SCHEMA:
            raise ValueError(f"no table of make bench: schema {table.get('schema')!r}")
        equivalents.append(
            {(row["name"], row["chips"]): row["equivalent"] for row in table["figures"]}
        )
    one, other = equivalents
    return {key: other[key] / one[key] for key in one if key in other}


def main(words: list[str] | None = None) -> int:
    """Print both tables beside each other; return 1 if a figure is slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--limit", type=float, default=_LIMIT)
    options = parser.parse_args(words)
    try:
        before, after = (
            json.loads(path.read_text(encoding="utf-8"))
            for path in (options.before, options.after)
        )
        found = ratios(before, after)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{'figure':<22}{'chips':>8}  after by before, {before['commit']} to ", end=""
    )
    print(after["commit"])
    for (name, chips), ratio in found.items():
        told = "SLOWER" if ratio > options.limit else ""
        told = "faster" if ratio < 1 / options.limit else told
        print(f"{name:<22}{chips or '':>8}{ratio:>8.2f}  {told}".rstrip())
    for name, exponent in after["exponents"].items():
        known = before["exponents"].get(name)
        if known is not None:
            print(f"{name:<22}chips^{known:.2f} to chips^{exponent:.2f}")
    return int(any(ratio > options.limit for ratio in found.values()))


if __name__ == "__main__":
    sys.exit(main())
