"""Report of traffic: a table that a person reads in 80 columns."""

from typing import Any

from rich.console import Group
from rich.table import Table

from experiments.service.traffic_run import TrafficRun
from serving.results.summary import PERCENTILES

_LATENCIES = {
    "ttft": "time to first token",
    "tpot": "time per output token",
    "itl": "between two tokens",
    "queue": "in the queue",
    "e2el": "end to end",
}


def traffic_report(run: TrafficRun, document: dict[str, Any]) -> Group:
    """Return the report of served traffic.

    Parameters
    ----------
    run
        The traffic.
    document
        What `traffic_document` returns for it.
    """
    return Group(_facts(run, document), "", _latencies(document))


def _facts(run: TrafficRun, document: dict[str, Any]) -> Table:
    """Return what was served on what, and how loaded it was."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=14)
    table.add_column()
    frame, file = document["frame"], run.file
    ms = frame["frame_cycles"] / run.prepared.fleet.times.clock_hz * 1e3
    rows = {
        "served": f"{run.prepared.prepared.name} on {document['chips']} chips, "
        f"{run.prepared.prepared.plan.strategy}"
        + (f", {file.replicas} replicas, {file.router}" if file.replicas > 1 else ""),
        "frame": f"{frame['slots']} slots and {frame['windows']} windows of "
        f"{frame['chunk_tokens']} positions ({frame['policy']}) in {ms:.3f} ms",
        "decoding": f"{frame['tokens_per_s_per_user']:,.1f} tokens/s per user, "
        f"{frame['tokens_per_s']:,.0f} in full frames, "
        f"{frame['tokens_per_s_without_prompts']:,.0f} without prompts",
        **_pairing_row(document["pairing"]),
        "load": _load_text(document),
        "requests": f"{document['completed']:,} completed, {document['failed']:,} "
        f"failed, {document['request_throughput']:,.2f}/s",
        "goodput": f"{document['request_goodput']:,.2f} requests/s within the "
        f"objectives, {document['slo_attainment']:.1%} of all",
        "tokens": f"{document['total_input']:,} in ({document['cached_input']:,} "
        f"cached), {document['total_output']:,} out, "
        f"{document['output_throughput']:,.1f}/s out",
        "utilisation": f"slots {document['slot_utilisation']:.1%}, windows "
        f"{document['window_utilisation']:.1%}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _pairing_row(pairing: dict[str, Any]) -> dict[str, str]:
    """Return the row of devices that have the prompts; none without."""
    if not pairing["devices"]:
        return {}
    text = (
        f"prompts on {pairing['devices']} {pairing['device']}, at work for "
        f"{pairing['devices_utilisation']:.1%}, their link for "
        f"{pairing['link_utilisation']:.1%}"
    )
    return {"pairing": text}


def _load_text(document: dict[str, Any]) -> str:
    """Return how much is asked for, and whether the fleet keeps up."""
    offered, state = document["offered_load"], document["saturation"]
    text = "all at once" if offered is None else f"{offered:.1%} of what there is"
    waiting = document["waiting_at_last_arrival"]
    return f"{text}: {state}, {waiting:,} waiting at the last arrival"


def _latencies(document: dict[str, Any]) -> Table:
    """Return the latencies of users, by percentile."""
    table = Table(box=None, pad_edge=False)
    table.add_column("ms", min_width=22)
    for each in ("mean", *(f"p{number}" for number in PERCENTILES)):
        table.add_column(each, justify="right", min_width=9)
    for key, text in _LATENCIES.items():
        values = [
            document[f"{each}_{key}_ms"]
            for each in ("mean", *(f"p{number}" for number in PERCENTILES))
        ]
        table.add_row(text, *("-" if v is None else f"{v:,.3f}" for v in values))
    return table
