"""What does a failover cost, and which tokens does a machine without a spare owe?

Llama-2-70B decodes on 576 chips while a link dies or a chip stops. The token is
damaged, its replay too; then the node is marked bad, what runs is finished, a spare
node of the rack gets the program, the weights and the KV cache from its host, and all
chips start aligned. The cost is split into these parts, and the host's rate is varied.
Without a spare node the run says which tokens are missing and why.
"""

from dataclasses import replace
from typing import NamedTuple, final

import numpy as np
import pandas as pd

from compiler.ir.schedule import Schedule
from experiments.harness.experiment_script import Findings, run_script
from experiments.plots.failover import failover_figure
from experiments.run.context_buckets import Bucket
from experiments.run.failover_planning import SpareNodes
from experiments.run.preparation import Prepared, compile_scenario
from experiments.run.scenario import Run, peak_rss_bytes
from experiments.tables.columns import TableRow
from experiments.tables.run_tables import tokens_table
from fabric.faults.spares import Moved
from fabric.replay import replay
from fabric.results.result import Failover
from specs.faults import ChipStops, Fault, LinkDies
from specs.scenario import Scenario
from specs.units import PPM, PS_PER_US
from topologies.outage import Outage

# In 10^9 B/s: PCIe 3.0 x4 to 6.0 x16, the machine's own in their midst.
HOST_GB_PER_S = (3.9, 7.9, 15.8, 31.5, 63.0, 126.0)
QUICK_HOST_GB_PER_S = (7.9, 31.5)
TOKENS = 24
QUICK_TOKENS = 9
# What breaks does so in this part of the run, within a token.
_WHEN = 0.35
SHOWN = {
    "scenario": "scenario",
    "host_gb_per_s": "GB/s",
    "damaged_us": "damaged us",
    "drain_us": "drain us",
    "load_us": "load us",
    "start_us": "start us",
    "total_us": "total us",
    "tokens_missing": "missing",
}


class FaultCase(NamedTuple):
    """What breaks on which machine.

    Attributes
    ----------
    name
        What it is called.
    fault
        ``link`` or ``chip``.
    spares, sequences
        Spare nodes of each rack, and sequences in flight.
    """

    name: str
    fault: str
    spares: int = 1
    sequences: int = 1


CASES = (
    FaultCase("link dies", "link"),
    FaultCase("chip stops", "chip"),
    FaultCase("8 in flight", "link", sequences=8),
    FaultCase("no spare", "link", spares=0),
)


def experiment(seed: int, quick: bool) -> Findings:
    """Return what each failover costs, every token, and the picture of both."""
    tokens = QUICK_TOKENS if quick else TOKENS
    rows: list[TableRow] = []
    delivered: list[pd.DataFrame] = []
    for case in CASES:
        scenario = Scenario(
            tokens=tokens,
            seed=seed,
            sequences=case.sequences,
            engine="replay",
            settings={"spares": case.spares, "link.ber": 0},
        )
        prepared, schedule = compile_scenario(scenario)
        spares = _Remembered(prepared)
        own = prepared.machine.host.load_gb_per_s
        swept = QUICK_HOST_GB_PER_S if quick else HOST_GB_PER_S
        for rate in swept if case.name == CASES[0].name else (own,):
            machine = prepared.machine.with_settings({"host.load_gb_per_s": rate})
            run = broken_run(replace(prepared, machine=machine), schedule, case, spares)
            rows.append(cost(run, case))
            if rate == own:
                delivered.append(tokens_by_cause(run, case))
    table, by_token = pd.DataFrame(rows), pd.concat(delivered, ignore_index=True)
    return table, failover_figure(table, by_token), {"tokens": by_token}


@final
class _Remembered:
    """Spare nodes that compile each moved program once.

    Parameters
    ----------
    prepared
        The scenario with its plan.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._spares = SpareNodes(prepared)
        self._known: dict[tuple[object, ...], Moved] = {}

    def moved(
        self, bad_nodes: tuple[int, ...], outage: Outage, before: Moved | None
    ) -> Moved:
        """Return the program without the bad nodes, as `SpareNodes.moved`."""
        key = (bad_nodes, outage, before.chips if before else None)
        if key not in self._known:
            self._known[key] = self._spares.moved(bad_nodes, outage, before)
        return self._known[key]


def broken_run(
    prepared: Prepared,
    schedule: Schedule,
    case: FaultCase,
    spares: _Remembered | SpareNodes,
) -> Run:
    """Return a run in which the middle train's link, or the chip that sends it, breaks.

    Parameters
    ----------
    prepared, schedule
        The machine and its program.
    case
        What breaks.
    spares
        Where the program can go.
    """
    program, scenario = schedule.program, prepared.scenario
    link = int(program.trains.link[len(program.trains) // 2])
    token_us = program.period_cycles / prepared.machine.chip.clock_hz * PPM
    at_us = token_us * (int(scenario.tokens * _WHEN) + 0.25)
    fault: Fault = (
        LinkDies(at_us=at_us, link=link)
        if case.fault == "link"
        else ChipStops(at_us=at_us, chip=int(prepared.topology.source[link]))
    )
    result = replay(
        program,
        prepared.topology,
        prepared.machine,
        seed=scenario.seed,
        tokens=scenario.tokens,
        faults=(fault,),
        spares=spares,
    )
    return Run(
        prepared=prepared,
        schedule=schedule,
        certificate=None,
        result=result,
        wall_s=np.nan,
        peak_rss_bytes=peak_rss_bytes(),
        buckets=(Bucket(0, prepared, schedule, None),),
    )


def cost(run: Run, case: FaultCase) -> TableRow:
    """Return the parts of a run's failover, if it had one, and what is missing."""
    result, scenario = run.result, run.prepared.scenario
    missing = result.missing
    row: TableRow = {
        "scenario": case.name,
        "spares": case.spares,
        "sequences": case.sequences,
        "host_gb_per_s": run.prepared.machine.host.load_gb_per_s,
        "seed": scenario.seed,
        "tokens_wanted": scenario.tokens * scenario.sequences,
        "tokens_delivered": sum(each.delivered for each in result.iterations),
        "tokens_missing": result.tokens_lost,
        "which": "; ".join(
            f"sequence {each.sequence}: {each.first_token} to {each.last_token}"
            for each in missing
        ),
        "reason": "; ".join(dict.fromkeys(each.reason for each in missing)),
        "violations": run.violations,
    }
    for failover in result.failovers:
        row |= _parts(run, failover)
    return row


def _parts(run: Run, failover: Failover) -> TableRow:
    """Return how long each part of a failover takes, and what is loaded."""
    machine, rows = run.prepared.machine, run.result.iterations
    tries = [
        each
        for each in rows
        if (each.sequence, each.token) == (failover.sequence, failover.token)
        and each.iteration <= failover.iteration
    ]
    begun_ps, damaged_ps = tries[0].start_ps, tries[-1].end_ps
    spans_us = {
        "damaged": damaged_ps - begun_ps,
        "drain": failover.stopped_ps - damaged_ps,
        "load": failover.load_ps,
        "start": failover.duration_ps - failover.load_ps,
        "total": failover.resumed_ps - begun_ps,
    }
    assert isinstance(run.prepared, Prepared)
    weights, kv_cache = _slices_bytes(run.prepared, failover.bad_node)
    program = machine.chip.program_reserve_bytes
    before = [each for each in rows if each.end_ps <= begun_ps]
    after = [each for each in rows if each.start_ps >= failover.resumed_ps]
    return {
        "bad_node": failover.bad_node,
        "spare_node": failover.spare_node,
        "attempts": len(tries),
        **{f"{name}_us": span / PS_PER_US for name, span in spans_us.items()},
        "fullest_program_bytes": program,
        "fullest_weight_bytes": weights,
        "fullest_kv_bytes": kv_cache,
        "loaded_bytes": failover.loaded_bytes,
        "token_before_us": _mean_us([each.end_ps - each.start_ps for each in before]),
        "token_after_us": _mean_us([each.end_ps - each.start_ps for each in after]),
    }


def _slices_bytes(prepared: Prepared, node: int) -> tuple[int, int]:
    """Return weights and KV cache of the chip of a node that holds most of both."""
    held = [
        (int(weights), int(kv_cache))
        for stage in prepared.plan.stages
        for chip, weights, kv_cache in zip(
            stage.chips, stage.memory.weights, stage.memory.kv_cache, strict=True
        )
        if prepared.topology.node[chip] == node
    ]
    return max(held, key=sum)


def tokens_by_cause(run: Run, case: FaultCase) -> pd.DataFrame:
    """Return when each token began and what it waited for, in us."""
    table = tokens_table(run)
    load_ps = np.zeros(len(table), dtype=np.int64)
    for failover in run.result.failovers:
        within = (table["start_ps"] <= failover.stopped_ps) & (
            table["end_ps"] >= failover.resumed_ps
        )
        load_ps[within] += failover.load_ps
    begin_ps = min(each.start_ps for each in run.result.iterations)
    parts_ps: dict[str, pd.Series[int]] = {
        "begin": table["start_ps"] - begin_ps,
        "latency": table["latency_ps"],
        "schedule": table["latency_ps"] - table["replay_ps"] - table["failover_ps"],
        "replay": table["replay_ps"],
        "load": pd.Series(load_ps),
        "start": table["failover_ps"] - load_ps,
    }
    return pd.DataFrame(
        {
            "scenario": case.name,
            "sequence": table["sequence"],
            "token": table["token"],
            "attempts": table["attempts"],
            **{f"{name}_us": span / PS_PER_US for name, span in parts_ps.items()},
        }
    )


def _mean_us(spans_ps: list[int]) -> float:
    return float(np.mean(spans_ps)) / PS_PER_US if spans_ps else np.nan


if __name__ == "__main__":
    run_script("failover", __doc__ or "", experiment, SHOWN)
