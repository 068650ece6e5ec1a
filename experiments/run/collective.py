"""Run of a collective from end to end: compile, verify, execute, and its latency."""

import time
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from rich.table import Table

from compiler.collectives.phases import bus_factor
from compiler.compile_collective import CollectiveSchedule, compile_collective
from compiler.verify import Certificate, verify
from experiments.run.scenario import peak_rss_bytes
from experiments.run.version import VERSION
from fabric.engine import engine_named
from fabric.results.result import RunResult
from specs.machine import MachineSpec
from specs.units import NS_PER_S, PS_PER_NS, PS_PER_S
from topologies.topology import Topology
from workloads.collective import Collective


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class CollectiveRun:
    """A collective that has been run once.

    Parameters
    ----------
    topology, machine
        Where.
    schedule, certificate
        What the compiler made, and that it holds; None if the chips were told never to
        deskew although they drift.
    result
        What the simulated hardware did.
    engine, seed
        What executed it, and where all chance came from.
    compile_s, verify_s, wall_s
        Seconds that each step took; `wall_s` is the execution.
    """

    topology: Topology
    machine: MachineSpec
    schedule: CollectiveSchedule
    certificate: Certificate | None
    result: RunResult
    engine: str
    seed: int
    compile_s: float
    verify_s: float
    wall_s: float

    @property
    def latency_ps(self) -> int:
        """Return the global time from the start to the last result in SRAM."""
        row = self.result.iterations[-1]
        return row.end_ps - row.start_ps

    @property
    def network_latency_ns(self) -> float:
        """Return the compiled time in the network: no additions, no deskews."""
        hz = self.machine.chip.clock_hz
        return self.schedule.network_cycles * NS_PER_S / hz

    @property
    def network_ps(self) -> int:
        """Return the global time in the network: all but additions and deskews."""
        spent = self.schedule.timeline.spent
        return self.latency_ps - self.machine.cycles_to_ps(spent.compute + spent.deskew)

    @property
    def algbw_gb_per_s(self) -> float:
        """Return the tensor's bytes by the latency, in 10^9 B/s."""
        return self.schedule.payload_bytes * PS_PER_NS / self.latency_ps

    @property
    def busbw_gb_per_s(self) -> float:
        """Return the algorithm bandwidth times what each chip must move of the tensor.

        The factors are those of NCCL's tests, so that collectives and sizes compare.
        """
        return self.algbw_gb_per_s * bus_factor(
            self.schedule.kind, len(self.schedule.chips)
        )

    @property
    def violations(self) -> int:
        """Return the number of vectors that broke the schedule."""
        return self.result.underflows + self.result.overflows


def run_collective(
    topology: Topology,
    machine: MachineSpec,
    kind: str,
    *,
    payload_bytes: int,
    algorithm: str = "auto",
    most_paths: int | None = None,
    engine: str = "replay",
    seed: int = 1,
) -> CollectiveRun:
    """Return the run of a collective among a machine's active chips, end to end.

    A point-to-point message goes from the first active chip to the last.

    Raises
    ------
    RackError
        If it cannot be meant, or no schedule holds.
    """
    chips = topology.active.astype(np.int64)
    if kind == Collective.POINT_TO_POINT:
        chips = chips[[0, -1]]
    times = [time.perf_counter()]
    schedule = compile_collective(
        topology,
        machine,
        kind,
        chips,
        payload_bytes=payload_bytes,
        algorithm=algorithm,
        most_paths=most_paths,
    )
    times.append(time.perf_counter())
    certificate = None
    if machine.deskews or not machine.drifts:
        certificate = verify(schedule.program, topology, machine, plan=schedule.plan)
    times.append(time.perf_counter())
    execute = engine_named(engine)
    result = execute(
        schedule.program, topology, machine, seed=seed, tokens=1, keep=frozenset({0})
    )
    times.append(time.perf_counter())
    compile_s, verify_s, wall_s = np.diff(times).tolist()
    return CollectiveRun(
        topology=topology,
        machine=machine,
        schedule=schedule,
        certificate=certificate,
        result=result,
        engine=engine,
        seed=seed,
        compile_s=compile_s,
        verify_s=verify_s,
        wall_s=wall_s,
    )


def collective_summary(run: CollectiveRun) -> dict[str, Any]:
    """Return the numbers of a run of a collective, as JSON."""
    schedule, result = run.schedule, run.result
    return {
        "schema": "groqrack-fabric/collective/1",
        "collective": schedule.kind.value,
        "algorithm": schedule.algorithm.value,
        "form": schedule.form,
        "reason": schedule.reason,
        "topology": run.topology.name,
        "chips": len(schedule.chips),
        "payload_bytes": schedule.payload_bytes,
        "latency_ns": run.latency_ps / PS_PER_NS,
        "network_latency_ns": run.network_latency_ns,
        "algbw_gb_per_s": run.algbw_gb_per_s,
        "busbw_gb_per_s": run.busbw_gb_per_s,
        "vectors": schedule.vectors,
        "vector_hops": schedule.vector_hops,
        "trains": len(schedule.program.trains),
        "breakdown_cycles": schedule.timeline.spent._asdict(),
        "certificate": run.certificate.digest if run.certificate else None,
        "violations": {"underflow": result.underflows, "overflow": result.overflows},
        "run": {
            "engine": run.engine,
            "seed": run.seed,
            "iterations": len(result.iterations),
            "events": result.events,
            "compile_s": run.compile_s,
            "verify_s": run.verify_s,
            "wall_s": run.wall_s,
            "peak_rss_bytes": peak_rss_bytes(),
            "realtime_factor": run.latency_ps / PS_PER_S / run.wall_s,
            "trajectory_hash": result.trajectory_hash,
            "version": VERSION,
        },
    }


def collective_report(run: CollectiveRun) -> Table:
    """Return the run of a collective as a table that a person reads in 80 columns."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=18)
    table.add_column()
    schedule, latency_ns = run.schedule, run.latency_ps / PS_PER_NS
    spent = schedule.timeline.spent
    causes = ", ".join(f"{name} {n:,}" for name, n in spent._asdict().items() if n)
    rows = {
        "collective": f"{schedule.kind} of {schedule.payload_bytes:,} bytes among "
        f"{len(schedule.chips):,} chips ({run.topology.name})",
        "algorithm": f"{schedule.form} {schedule.algorithm}".strip(),
        "why": schedule.reason,
        "latency": f"{latency_ns:,.1f} ns, of which the network "
        f"{run.network_latency_ns:,.1f} ns",
        "cycles": f"{schedule.latency_cycles:,} = {causes}",
        "bandwidth": f"{run.algbw_gb_per_s:,.2f} GB/s of the tensor (algbw), "
        f"{run.busbw_gb_per_s:,.2f} GB/s of each chip (busbw)",
        "vectors": f"{schedule.vectors:,}, {schedule.vector_hops:,} vector-hops in "
        f"{len(schedule.program.trains):,} trains",
        "certificate": str(run.certificate or "none: chips drift and never deskew"),
        "violations": f"{run.violations:,}",
        "took": f"{run.compile_s:.3f} s to compile, {run.verify_s:.3f} s to verify, "
        f"{run.wall_s:.3f} s to run ({run.engine})",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
