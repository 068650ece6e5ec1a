"""Key figures of a run: what a reader of a report wants to know first."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from experiments.html_report.run_folder import SIMULATION, RunFolder
from specs.units import BYTES_PER_MB, NS_PER_US


class KeyFigure(NamedTuple):
    """A key figure.

    Attributes
    ----------
    label
        What it is.
    text
        Its value with the unit.
    note
        What belongs to it.
    key, value
        The key of the summary that it shows, and the number there.
    bad
        Whether something went wrong.
    """

    label: str
    text: str
    note: str
    key: str
    value: Any
    bad: bool = False


def key_figures(folder: RunFolder) -> list[KeyFigure]:
    """Return the key figures of a run for its report."""
    makers = _SIMULATION if folder.kind == SIMULATION else _SERVICE
    figures = (make(folder) for make in makers)
    return [figure for figure in figures if figure is not None]


def _latency(folder: RunFolder) -> KeyFigure | None:
    """Return the latency of a token as a key figure."""
    spread = folder.summary["iteration"]["latency_ns"]
    word = "token" if "token" in folder.summary else "pass"
    mean = spread["mean"]
    text = (
        "none delivered" if mean is None else f"{mean / NS_PER_US:,.3f} \N{MICRO SIGN}s"
    )
    note = (
        "" if mean is None else f"p99 {spread['p99'] / NS_PER_US:,.3f} \N{MICRO SIGN}s"
    )
    key = "iteration.latency_ns.mean"
    return KeyFigure(f"a {word}", text, note, key, mean, bad=mean is None)


def _user_rate(folder: RunFolder) -> KeyFigure | None:
    """Return the rate of a user as a key figure, with that of all."""
    rates = folder.summary.get("token")
    if not rates or rates["tokens_per_s_per_user"] is None:
        return None
    rate, total = rates["tokens_per_s_per_user"], rates["tokens_per_s_pipeline"]
    key = "token.tokens_per_s_per_user"
    note = f"{total:,.1f} of all users"
    return KeyFigure("per user", f"{rate:,.1f} tokens/s", note, key, rate)


def _certificate(folder: RunFolder) -> KeyFigure | None:
    """Return the certificate of the schedule as a key figure."""
    schedule = folder.summary["schedule"]
    digest, checks = schedule["certificate"], schedule["checks"]
    key = "schedule.certificate"
    if digest is None:
        note = "chips never deskew: no schedule holds"
        return KeyFigure("certificate", "none", note, key, None, bad=True)
    return KeyFigure("certificate", digest, f"{checks:,} checks hold", key, digest)


def _bound(folder: RunFolder) -> KeyFigure | None:
    """Return how near a schedule is to its lower bound, as a key figure."""
    schedule = folder.summary["schedule"]
    cycles, bound = schedule["latency_cycles"], schedule["lower_bound_cycles"]
    note = f"at least {bound:,} ({bound / cycles:.0%})" if cycles else ""
    return KeyFigure(
        "schedule", f"{cycles:,} cycles", note, "schedule.latency_cycles", cycles
    )


def _chips(folder: RunFolder) -> KeyFigure | None:
    """Return the chips as a key figure."""
    plan, machine = folder.summary["plan"], folder.summary["machine"]
    note = f"of {machine['chips']:,} ({machine['topology']})"
    used = plan["chips_used"]
    return KeyFigure("chips used", f"{used:,}", note, "plan.chips_used", used)


def _memory(folder: RunFolder) -> KeyFigure | None:
    """Return the fullest chip as a key figure."""
    plan = folder.summary["plan"]
    full, size = plan["fullest_chip_bytes"], plan["sram_bytes_per_chip"]
    note = f"{full / size:.0%} of {size / BYTES_PER_MB:,.1f} MB"
    text = f"{full / BYTES_PER_MB:,.1f} MB"
    return KeyFigure("fullest chip", text, note, "plan.fullest_chip_bytes", full)


def _slack(folder: RunFolder) -> KeyFigure | None:
    """Return the least slack of all links as a key figure."""
    least = folder.tables["links"]["min_slack_cycles"].min()
    guard = folder.summary["schedule"]["guard_cycles"]
    if pd.isna(least):
        return None
    note = f"guard band {guard:,} cycles"
    text = f"{least:,.1f} cycles"
    key = "schedule.guard_cycles"
    return KeyFigure("least slack", text, note, key, guard, bad=bool(least < 0))


def _energy(folder: RunFolder) -> KeyFigure | None:
    """Return the energy of a token as a key figure."""
    energy = folder.summary["energy"]
    joules, watts = energy.get("energy_per_token_j"), energy["average_power_w"]
    if joules is None:
        return None
    note = f"at {watts / 1e3:,.1f} kW"
    key = "energy.energy_per_token_j"
    return KeyFigure("energy of a token", f"{joules:,.3g} J", note, key, joules)


def _violations(folder: RunFolder) -> KeyFigure | None:
    """Return what went wrong as a key figure."""
    late = sum(folder.summary["violations"].values())
    lost = folder.summary["faults"]["tokens_lost"]
    note = f"{lost:,} tokens lost, {folder.summary['faults']['replays']:,} replays"
    text, bad = f"{late:,} violations", bool(late or lost)
    return KeyFigure("faults", text, note, "faults.tokens_lost", lost, bad=bad)


def _trajectory(folder: RunFolder) -> KeyFigure | None:
    """Return the hash of the trajectory as a key figure."""
    run = folder.summary["run"]
    note = f"{run['engine']}, seed {run['seed']}, {run['iterations']:,} iterations"
    full = run["trajectory_hash"]
    return KeyFigure("trajectory", full[:16], note, "run.trajectory_hash", full)


def _milliseconds(label: str, name: str) -> Callable[[RunFolder], KeyFigure | None]:
    """Return what makes the key figure of a latency that users see."""

    def made(folder: RunFolder) -> KeyFigure | None:
        median, late = (folder.summary[f"{p}_{name}_ms"] for p in ("median", "p99"))
        if median is None:
            return None
        text, key = f"{median:,.3f} ms", f"median_{name}_ms"
        return KeyFigure(label, text, f"p99 {late:,.3f} ms", key, median)

    return made


def _frame_rate(folder: RunFolder) -> KeyFigure | None:
    """Return the rate of a user of the frame as a key figure."""
    frame = folder.summary["frame"]
    rate = frame["tokens_per_s_per_user"]
    note = f"{frame['slots']:,} slots, {frame['windows']:,} windows"
    key = "frame.tokens_per_s_per_user"
    return KeyFigure("per user", f"{rate:,.1f} tokens/s", note, key, rate)


def _output(folder: RunFolder) -> KeyFigure | None:
    """Return the rate of all answers as a key figure."""
    rate = folder.summary["output_throughput"]
    state = folder.summary["saturation"]
    bad = state != "STABLE"
    key = "output_throughput"
    return KeyFigure("all answers", f"{rate:,.1f} tokens/s", state, key, rate, bad=bad)


def _objectives(folder: RunFolder) -> KeyFigure | None:
    """Return how many requests met the objectives, as a key figure."""
    share = folder.summary["slo_attainment"]
    good = folder.summary["request_goodput"]
    note = f"{good:,.3f} good requests/s"
    return KeyFigure("objectives met", f"{share:.1%}", note, "slo_attainment", share)


def _completed(folder: RunFolder) -> KeyFigure | None:
    """Return how many requests were completed, as a key figure."""
    done, failed = folder.summary["completed"], folder.summary["failed"]
    note = f"{failed:,} not"
    return KeyFigure(
        "completed", f"{done:,} requests", note, "completed", done, bad=bool(failed)
    )


def _certificates(folder: RunFolder) -> KeyFigure | None:
    """Return the certificates of the compiled passes as a key figure."""
    frame = folder.summary["frame"]
    digests = [*frame["decode_certificates"], *frame["chunk_certificates"]]
    if not digests:
        return None
    note = f"and {len(digests) - 1:,} more passes proven"
    key = "frame.decode_certificates.0"
    return KeyFigure("certificate", digests[0], note, key, digests[0])


_SIMULATION = (
    _latency,
    _user_rate,
    _certificate,
    _bound,
    _chips,
    _memory,
    _slack,
    _energy,
    _violations,
    _trajectory,
)
_SERVICE = (
    _frame_rate,
    _output,
    _milliseconds("first token", "ttft"),
    _milliseconds("per token after it", "tpot"),
    _milliseconds("end to end", "e2el"),
    _objectives,
    _completed,
    _certificates,
)
