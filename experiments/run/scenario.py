"""Run of a scenario from end to end: plan, compile, verify, simulate."""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np

from compiler.ir.schedule import Schedule, WorkloadSchedule
from compiler.ir.transfers import CycleBreakdown
from compiler.verify import Certificate
from experiments.run.context_buckets import Bucket, compile_buckets
from experiments.run.failover_planning import SpareNodes
from experiments.run.preparation import Prepared, compile_prepared, plan_scenario
from experiments.run.prompt import PromptRun, run_prompt
from experiments.run.workload import PreparedWorkload, prepare_workload
from fabric.engine import engine_named
from fabric.faults.fault_script import check_faults
from fabric.results.result import RunResult
from specs.arrays import Ints
from specs.faults import load_faults
from specs.progress import report_progress
from specs.scenario import Scenario
from specs.short_repr import html_table, short_repr
from specs.units import PS_PER_S
from topologies.topology import Topology


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """A scenario that has been run.

    Parameters
    ----------
    prepared
        Model or workload, machine, wiring and plan.
    schedule, certificate
        What the compiler made, and that it holds; None if the chips were told never to
        deskew although they drift, since no such schedule holds for long. Behind a
        prompt they are the first bucket's.
    result
        What the simulated hardware did.
    wall_s
        Seconds that the simulation took, compilation not counted.
    peak_rss_bytes
        Most memory that the process has had.
    prompt
        The pass of the prompt before the tokens, None if there is none.
    buckets
        The programs that serve the tokens, several if the context grows.
    """

    prepared: Prepared | PreparedWorkload
    schedule: Schedule | WorkloadSchedule
    certificate: Certificate | None
    result: RunResult
    wall_s: float
    peak_rss_bytes: int
    buckets: tuple[Bucket, ...]
    prompt: PromptRun | None = None

    __repr__ = short_repr
    _repr_html_ = html_table

    @property
    def simulated_s(self) -> float:
        """Return the simulated time from the first token's start to the last's end."""
        rows = self.result.iterations
        span_ps = max(r.end_ps for r in rows) - min(r.start_ps for r in rows)
        return span_ps / PS_PER_S

    def bucket_of(self, tokens: Ints) -> Ints:
        """Return which of `buckets` serves each token, by the number of the token."""
        firsts = [bucket.first_token for bucket in self.buckets]
        return np.searchsorted(firsts, tokens, "right") - 1

    def mean_cycles(self, cycles: Sequence[int]) -> float:
        """Return the mean over the delivered tokens of what each bucket takes.

        Parameters
        ----------
        cycles
            Of a token of each of `buckets`.
        """
        delivered = [row.token for row in self.result.iterations if row.delivered]
        # Where none was delivered it is what the first would have taken.
        served = self.bucket_of(np.array(delivered or [0], dtype=np.int64))
        return float(np.array(cycles)[served].mean())

    @property
    def breakdown(self) -> CycleBreakdown:
        """Return where the cycles of a token go by schedule, the mean of all tokens."""
        spent = [bucket.schedule.breakdown for bucket in self.buckets]
        return CycleBreakdown(
            *(round(self.mean_cycles(each)) for each in zip(*spent, strict=True))
        )

    @property
    def turn_ps(self) -> float:
        """Return how long a sequence waits after each token for its next turn.

        With more sequences in flight than stages for them it is not zero.
        """
        turns = [bucket.schedule.program.turn_cycles for bucket in self.buckets]
        return self.mean_cycles(turns) / self.prepared.machine.chip.clock_hz * PS_PER_S

    @property
    def violations(self) -> int:
        """Return the number of vectors that broke the schedule."""
        results = [self.result, *([self.prompt.result] if self.prompt else [])]
        return sum(each.underflows + each.overflows for each in results)


class Programs(NamedTuple):
    """Programs of a scenario, proven to hold; they depend on no seed or bit error.

    Attributes
    ----------
    prepared
        What runs on what.
    buckets
        The programs that serve the tokens.
    """

    prepared: Prepared | PreparedWorkload
    buckets: tuple[Bucket, ...]

    def __repr__(self) -> str:
        return short_repr(self)

    def prepared_for(self, scenario: Scenario) -> Prepared | PreparedWorkload:
        """Return what runs on what in a scenario that these programs serve."""
        # A search for throughput has decided how many sequences there are.
        sequences = {"sequences": self.prepared.scenario.sequences}
        return replace(self.prepared, scenario=scenario.model_copy(update=sequences))


def run_scenario(
    scenario: Scenario,
    topology: Topology | None = None,
    *,
    programs: Programs | None = None,
) -> Run:
    """Return the run of a scenario from end to end: plan, compile, verify, simulate.

    Parameters
    ----------
    scenario
        What to run.
    topology
        Wiring to use instead of the one that the scenario names.
    programs
        What `compile_programs` returns for the scenario with any seed and rate of bit
        errors, if that is known; its machine is the one that runs.

    Raises
    ------
    RackError
        If the scenario cannot be meant or does not fit; the message says the way out.
    """
    report_progress("planning and compiling", 0, 1)
    faults = load_faults(scenario.faults) if scenario.faults else ()
    programs = programs or compile_programs(scenario, topology)
    prepared, buckets = programs.prepared_for(scenario), programs.buckets
    prompt = run_prompt(prepared) if isinstance(prepared, Prepared) else None
    # A search for throughput decides how many sequences there are.
    total = scenario.tokens * prepared.scenario.sequences
    began = time.perf_counter()
    result = engine_named(scenario.engine)(
        buckets[0].schedule.program,
        prepared.topology,
        prepared.machine,
        seed=scenario.seed,
        tokens=scenario.tokens,
        faults=faults,
        spares=SpareNodes(buckets[0].prepared),
        changes=[bucket.change for bucket in buckets[1:]],
        keep=frozenset({0}),
        progress=lambda done: report_progress(
            "simulating tokens", done, max(done, total)
        ),
    )
    return Run(
        prepared=prepared,
        schedule=buckets[0].schedule,
        certificate=buckets[0].certificate,
        result=result,
        wall_s=time.perf_counter() - began,
        peak_rss_bytes=peak_rss_bytes(),
        buckets=buckets,
        prompt=prompt,
    )


def compile_programs(scenario: Scenario, topology: Topology | None = None) -> Programs:
    """Return the programs of a scenario: planned, compiled and verified.

    Parameters are those of `run_scenario`.

    Raises
    ------
    RackError
        If the scenario cannot be meant or does not fit, or no schedule holds.
    """
    faults = load_faults(scenario.faults) if scenario.faults else ()
    prepared = prepare(scenario, topology)
    check_faults(faults, prepared.topology, scenario.faults or "")
    return Programs(prepared, tuple(compile_buckets(prepared)))


def prepare(
    scenario: Scenario, topology: Topology | None = None
) -> Prepared | PreparedWorkload:
    """Return what a scenario runs, a model or workload, split over its machine's chips.

    Parameters are those of `run_scenario`.

    Raises
    ------
    RackError
        If the scenario cannot be meant or does not fit.
    """
    if scenario.workload is not None:
        return prepare_workload(scenario, topology)
    return plan_scenario(scenario, topology)


def compiled(
    scenario: Scenario, topology: Topology | None = None
) -> tuple[Prepared | PreparedWorkload, Schedule | WorkloadSchedule]:
    """Return a scenario compiled to run: its plan and the schedule of an iteration.

    Parameters are those of `run_scenario`.

    Raises
    ------
    RackError
        If the scenario cannot be meant or does not fit, or no schedule holds.
    """
    prepared = prepare(scenario, topology)
    if isinstance(prepared, PreparedWorkload):
        return prepared, prepared.schedule
    return prepared, compile_prepared(prepared)


def peak_rss_bytes() -> int:
    """Return the most memory that the process of a run has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux KiB.
    return peak if sys.platform == "darwin" else peak * 1024
