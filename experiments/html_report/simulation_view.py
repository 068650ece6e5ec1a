"""View of a simulated run: what the pictures of its report show."""

from typing import Any

import numpy as np
import pandas as pd

from experiments.html_report.column_packing import packed
from experiments.html_report.run_folder import RunFolder

# Links and tokens beyond these would make the file large and its tables endless.
MOST_LINKS = 1000
MOST_TOKENS = 1000
MOST_ENTRIES = 30_000
_MOST_CHANGES = 20_000
_LEVELS = ("local", "rack", "global")


def simulation_view(folder: RunFolder) -> dict[str, Any]:
    """Return what the pictures of a simulated run show, as JSON values."""
    tables, summary = folder.tables, folder.summary
    links, timeline = tables["links"], tables["timeline"]
    used = links[links["vectors"] > 0]
    last = last_replica(timeline)
    own = timeline[timeline["replica"] == last]
    return {
        "kind": folder.kind,
        "hz": summary["machine"]["clock_hz"],
        "breakdown": summary["iteration"]["breakdown_cycles"],
        "schedule": summary["schedule"],
        "capacity": summary["plan"]["sram_bytes_per_chip"],
        "chips": packed(with_slack(tables["chips"], used)),
        "links": packed(notable_links(used)),
        "used_links": len(used),
        "all_links": len(links),
        "slack": packed(slack_counts(used)),
        "stages": packed(tables["stages"]),
        "replica": last,
        "entries": len(own),
        "timeline": packed(own.drop(columns=["entry", "replica"]).head(MOST_ENTRIES)),
        "operators": packed(operator_cycles(own)),
        "tokens": packed(tables["tokens"].head(MOST_TOKENS)),
        "all_tokens": len(tables["tokens"]),
        "sram": packed(sram_changes(tables["sram"])),
    }


def last_replica(timeline: pd.DataFrame) -> int:
    """Return the replica whose token ends last; a run's summary is of its cycles."""
    if timeline.empty:
        return 0
    end = timeline["start_cycle"] + timeline["duration_cycles"]
    return int(timeline["replica"].to_numpy()[end.to_numpy().argmax()])


def with_slack(chips: pd.DataFrame, used: pd.DataFrame) -> pd.DataFrame:
    """Return the table of chips with the least slack of the links to each.

    Parameters
    ----------
    chips, used
        Tables ``chips`` and ``links`` of a run, of links those that carry vectors.
    """
    least = used.groupby("target")["min_slack_cycles"].min()
    return chips.assign(least_slack_cycles=chips["chip"].map(least))


def notable_links(used: pd.DataFrame) -> pd.DataFrame:
    """Return the links of a run with least slack, then those that are busiest.

    Of a large machine these are not all links, but `MOST_LINKS`.
    """
    if len(used) > MOST_LINKS:
        late = used.nsmallest(MOST_LINKS // 2, "min_slack_cycles")
        busy = used.drop(late.index).nlargest(MOST_LINKS - len(late), "busy_ps")
        used = pd.concat([late, busy])
    return used.sort_values(["min_slack_cycles", "link"], ignore_index=True)


def slack_counts(used: pd.DataFrame) -> pd.DataFrame:
    """Return how many links of each level have a least slack of so many whole cycles.

    Returns
    -------
    DataFrame
        Columns level, slack_cycles (rounded down), links.
    """
    known = used[used["min_slack_cycles"].notna()]
    whole = np.floor(known["min_slack_cycles"].to_numpy(dtype=np.float64))
    rows = pd.DataFrame({"level": known["level"].to_numpy(), "slack_cycles": whole})
    counts = rows.groupby(["level", "slack_cycles"]).size().rename("links")
    return counts.reset_index()


def operator_cycles(timeline: pd.DataFrame) -> pd.DataFrame:
    """Return the cycles of a token by operator, the largest part first.

    Returns
    -------
    DataFrame
        Columns kind, name, count, duration_cycles, hidden_cycles, path_cycles.
    """
    groups = timeline.groupby(["kind", "name"])
    sums = groups[["duration_cycles", "hidden_cycles", "path_cycles"]].sum()
    sums.insert(0, "count", groups.size())
    return sums.reset_index().sort_values(
        ["path_cycles", "name"], ascending=[False, True], ignore_index=True
    )


def sram_changes(sram: pd.DataFrame) -> pd.DataFrame:
    """Return the SRAM of chips over time, of the fullest ones if they are too many."""
    if len(sram) <= _MOST_CHANGES:
        return sram
    least = sram.groupby("chip")["free_bytes"].min().sort_values(kind="stable")
    rows = sram.groupby("chip").size()[least.index].cumsum()
    kept = set(rows.index[rows <= _MOST_CHANGES]) | {least.index[0]}
    return sram[sram["chip"].isin(kept)]
