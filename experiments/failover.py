"""What does a failover cost, and which tokens does a machine without a spare owe?

Llama-2-70B decodes on 576 chips while a link dies or a chip stops. The token is
damaged, and so is its replay. Running iterations drain, and the hosts detect the bad
node. A spare node of the rack loads programs and weights from its host, the counters
are brought up over a new tree, the lost part of the KV cache is recomputed or copied
from mirrors, and all chips start aligned. The cost is split into these parts for
several host rates. Without a spare node the run reports which tokens are missing and
why.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from compiler.ir.schedule import Schedule
from experiments.plots.failover import failover_figure
from experiments.run.context_buckets import Bucket
from experiments.run.failover_planning import SpareNodes
from experiments.run.preparation import Prepared, compile_scenario
from experiments.run.scenario import Run, peak_rss_bytes
from experiments.script.experiment_script import Findings, run_script
from experiments.tables.columns import TableRow
from experiments.tables.failover_costs import (
    FaultCase,
    failover_costs,
    tokens_by_cause,
)
from fabric.replay import replay
from specs.faults import ChipStops, Fault, LinkDies
from specs.scenario import Scenario
from specs.units import PPM

# Host rates in 10^9 B/s: PCIe 3.0 x4 to 6.0 x16, among them that of the machine.
HOST_GB_PER_S = (3.9, 7.9, 15.8, 31.5, 63.0, 126.0)
QUICK_HOST_GB_PER_S = (7.9, 31.5)
TOKENS = 24
QUICK_TOKENS = 9
# Positions in the KV cache of a sequence, which are recomputed.
CONTEXT, QUICK_CONTEXT = 4096, 256
# When the fault happens: after this share of the tokens, within the next one.
_FAULT_AFTER = 0.35
SHOWN = {
    "scenario": "scenario",
    "host_gb_per_s": "GB/s",
    "drain_us": "drain",
    "detect_us": "detect",
    "load_us": "load",
    "bring_up_us": "bring-up",
    "kv_us": "KV",
    "start_us": "start",
    "total_us": "total us",
}


CASES = (
    FaultCase("link dies", "link"),
    FaultCase("chip stops", "chip"),
    FaultCase("8 in flight", "link", sequences=8),
    FaultCase("mirrored", "link", kv_cache="mirrored"),
    FaultCase("no spare", "link", spares=0),
)


def experiment(seed: int, quick: bool) -> Findings:
    """Run the experiment: cost of each failover, the figure, and every token."""
    tokens = QUICK_TOKENS if quick else TOKENS
    rows: list[TableRow] = []
    delivered: list[pd.DataFrame] = []
    for case in CASES:
        scenario = Scenario(
            tokens=tokens,
            seed=seed,
            sequences=case.sequences,
            context=QUICK_CONTEXT if quick else CONTEXT,
            engine="replay",
            settings={
                "spares": case.spares,
                "link.ber": 0,
                "failover.kv_cache": case.kv_cache,
            },
        )
        prepared, schedule = compile_scenario(scenario)
        spares = SpareNodes(prepared)
        default_rate = prepared.machine.host.load_gb_per_s
        swept = QUICK_HOST_GB_PER_S if quick else HOST_GB_PER_S
        for rate in swept if case.name == CASES[0].name else (default_rate,):
            machine = prepared.machine.with_settings({"host.load_gb_per_s": rate})
            run = _faulty_run(
                replace(prepared, machine=machine), schedule, case, spares
            )
            rows.append(failover_costs(run, case))
            if rate == default_rate:
                delivered.append(tokens_by_cause(run, case))
    table, by_token = pd.DataFrame(rows), pd.concat(delivered, ignore_index=True)
    return table, failover_figure(table, by_token), {"tokens": by_token}


def _faulty_run(
    prepared: Prepared,
    schedule: Schedule,
    case: FaultCase,
    spares: SpareNodes,
) -> Run:
    """Return the experiment's run in which the middle train's link or sender breaks.

    Parameters
    ----------
    prepared, schedule
        The machine and its program.
    case
        The fault.
    spares
        Spare nodes to move the program to.
    """
    program, scenario = schedule.program, prepared.scenario
    link = int(program.trains.link[len(program.trains) // 2])
    token_us = program.period_cycles / prepared.machine.chip.clock_hz * PPM
    at_us = token_us * (int(scenario.tokens * _FAULT_AFTER) + 0.25)
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


if __name__ == "__main__":
    run_script("failover", __doc__ or "", experiment, SHOWN)
