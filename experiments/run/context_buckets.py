"""Context buckets: programs that each serve a range of a growing context."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule, WorkloadSchedule
from compiler.verify import Certificate, verify
from experiments.run.failover_planning import SpareNodes
from experiments.run.preparation import Prepared, compile_prepared
from experiments.run.workload import PreparedWorkload
from fabric.runtime.program_switch import Change
from sharding.planner.chunked_prefill import pass_plan
from sharding.planner.plan import ShardingPlan
from specs.scenario import Scenario
from specs.short_repr import short_repr


class Bucket(NamedTuple):
    """Tokens of a run that one program serves.

    Attributes
    ----------
    first_token
        The first of them.
    prepared
        The scenario with the plan at the bucket's context.
    schedule, certificate
        The program, compiled for the upper end of the bucket, and that it holds; None
        where chips that drift never deskew.
    """

    first_token: int
    prepared: Prepared | PreparedWorkload
    schedule: Schedule | WorkloadSchedule
    certificate: Certificate | None

    def __repr__(self) -> str:
        return short_repr(self)

    @property
    def context_tokens(self) -> int:
        """Return the positions that the program attends to; a workload's to none."""
        plan = self.schedule.plan
        return plan.task.context if isinstance(plan, ShardingPlan) else 0

    @property
    def change(self) -> Change:
        """Return what the hardware has to know."""
        return Change(
            self.first_token, self.schedule.program, SpareNodes(self.prepared)
        )


Number = TypeVar("Number", int, NDArray[np.int64])


def token_context(scenario: Scenario, token: Number) -> Number:
    """Return the positions that a token of a run attends to, itself among them.

    Without a prompt the cache is taken as filled to the context all along. A workload
    has none.
    """
    if scenario.workload is not None:
        return 0 * token
    if not scenario.prompt:
        return 0 * token + scenario.context
    return scenario.prompt + token + 1


def bucket_starts(scenario: Scenario) -> list[tuple[int, int]]:
    """Return first token and context of each context bucket that a run needs.

    >>> bucket_starts(Scenario(prompt=250, tokens=300, context_bucket=256))
    [(0, 256), (6, 512), (262, 768)]
    """
    if not scenario.prompt:
        return [(0, scenario.context)]
    size = scenario.context_bucket
    starts, token = [], 0
    while token < scenario.tokens:
        context = -(-token_context(scenario, token) // size) * size
        # The cache is planned for no more than the context in the end.
        starts.append((token, min(context, scenario.context)))
        token = context - scenario.prompt
    return starts


def compile_buckets(prepared: Prepared | PreparedWorkload) -> list[Bucket]:
    """Return the compiled context buckets of a run, all on the slices of one plan.

    A workload has one for all its iterations.

    Raises
    ------
    RackError
        If no schedule holds.
    """
    if isinstance(prepared, PreparedWorkload):
        schedule = prepared.schedule
        return [Bucket(0, prepared, schedule, _certified(prepared, schedule))]
    buckets = []
    for first_token, context in bucket_starts(prepared.scenario):
        own, made = prepared, None
        if context != prepared.plan.task.context:
            task = prepared.plan.task._replace(context=context)
            own = replace(prepared, plan=pass_plan(prepared.plan, task), searched=None)
            made = compile_token(own.plan, prepared.topology)
        made = made or compile_prepared(own)
        buckets.append(Bucket(first_token, own, made, _certified(own, made)))
    return buckets


def _certified(
    prepared: Prepared | PreparedWorkload, schedule: Schedule | WorkloadSchedule
) -> Certificate | None:
    """Return that a run's schedule holds, None where chips that drift never deskew."""
    machine = prepared.machine
    if machine.drifts and not machine.deskews:
        return None
    return verify(schedule.program, prepared.topology, machine, plan=schedule.plan)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFacts:
    """A program that served tokens up to a context, and its certificate."""

    first_token: int
    context_tokens: int
    latency_cycles: int
    lower_bound_cycles: int
    certificate: str | None


def bucket_facts(buckets: Sequence[Bucket]) -> list[BucketFacts]:
    """Return the record of a run's context buckets, the programs that served it."""
    return [
        BucketFacts(
            first_token=bucket.first_token,
            context_tokens=bucket.context_tokens,
            latency_cycles=bucket.schedule.program.token_cycles,
            lower_bound_cycles=bucket.schedule.lower_bound_cycles,
            certificate=bucket.certificate.digest if bucket.certificate else None,
        )
        for bucket in buckets
    ]
