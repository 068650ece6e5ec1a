"""Compiled times: the service times of a plan, read from schedules that are proven."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, final

import numpy as np

from compiler.compile_decode import compile_token
from compiler.energy.program_energy import program_energy
from compiler.ir.timeline import Timeline, TransportEntry
from compiler.prefill.chunk_steps import STAGE_TRANSFER
from compiler.verify import verify
from serving.service_times import ServiceTimes
from sharding.planner.chunked_prefill import lacking_bytes, pass_plan
from sharding.planner.memory import kv_cache_bytes
from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.errors import PlanError
from specs.units import ceil_div
from topologies.topology import Topology

# A change of program takes two epochs: the end of begun deskews, and one of every chip.
_CHANGE_EPOCHS = 2


def bucket_contexts(context_tokens: int, bucket_tokens: int) -> list[int]:
    """Return the upper end of each context bucket of a planned cache.

    >>> bucket_contexts(600, 256)
    [256, 512, 600]
    """
    ends = range(bucket_tokens, context_tokens + bucket_tokens, bucket_tokens)
    return [min(end, context_tokens) for end in ends]


def compile_service_times(
    plan: ShardingPlan,
    topology: Topology,
    *,
    chunk_tokens: int,
    contexts: Sequence[int] = (),
    drafted_tokens: int = 0,
) -> ServiceTimes:
    """Return the service times of a plan's pipeline, compiled and verified per bucket.

    Parameters are those of `ServiceCompiler.times`.

    Raises
    ------
    PlanError
        If the model is an encoder, there are several replicas, or a chunk's activations
        do not fit beside weights and KV cache.
    ScheduleError
        If no schedule holds.
    """
    return ServiceCompiler(topology).times(
        plan,
        chunk_tokens=chunk_tokens,
        contexts=contexts,
        drafted_tokens=drafted_tokens,
    )


class CompiledPass(NamedTuple):
    """What a frame needs to know of a pass that is compiled and proven.

    Attributes
    ----------
    interval_cycles, period_cycles, token_cycles
        From one sequence to the next, from a token of a sequence to its next, and the
        length of the pass.
    slowest_cycles
        Cycles of its slowest stage.
    pitch_cycles
        From the start of each stage to the next one's.
    digest
        Digest of its certificate.
    dynamic_j
        Dynamic energy of its operations on all chips, in J.
    """

    interval_cycles: int
    period_cycles: int
    token_cycles: int
    slowest_cycles: int
    pitch_cycles: tuple[int, ...]
    digest: str
    dynamic_j: float


@final
class ServiceCompiler:
    """Compiler of the passes of a service, each compiled and verified once.

    Parameters
    ----------
    topology
        The topology.
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._compiled: dict[tuple[str, int, Task], CompiledPass] = {}

    def times(
        self,
        plan: ShardingPlan,
        *,
        chunk_tokens: int,
        contexts: Sequence[int] = (),
        drafted_tokens: int = 0,
    ) -> ServiceTimes:
        """Return the service times of a plan's pipeline per bucket.

        Parameters
        ----------
        plan
            Who holds what, for one replica; its sequences are the decode slots.
        chunk_tokens
            Positions of a prompt that a pass computes together.
        contexts
            Upper ends of the context buckets, ascending; the plan's context if none.
        drafted_tokens
            Tokens that a draft proposes for each turn, which the turn verifies.

        Raises
        ------
        RackError
            As `compile_service_times`.
        """
        _check(plan)
        turn = plan.task._replace(
            query_tokens=drafted_tokens + 1, answer_tokens=drafted_tokens + 1
        )
        chunk = plan.task._replace(query_tokens=chunk_tokens, answer_tokens=1)
        ends = list(contexts) or [plan.task.context]
        tokens = [self._pass(plan, turn, end, plan.sequences) for end in ends]
        # A pass of a prompt is proven alone: what is beside it are decode sequences.
        passes = [self._pass(plan, chunk, end, 1) for end in ends]
        epoch_cycles = plan.machine.hac.epoch_cycles
        windows = [each.slowest_cycles + epoch_cycles for each in passes]
        paced = list(map(_paced, tokens, passes, windows))
        return ServiceTimes(
            clock_hz=plan.machine.chip.clock_hz,
            host=plan.machine.host,
            slots=plan.sequences,
            chunk_tokens=chunk_tokens,
            turn_tokens=drafted_tokens + 1,
            context_tokens=_ints(ends),
            slot_cycles=_ints(
                each.interval_cycles or each.period_cycles for each in tokens
            ),
            period_cycles=_ints(each.period_cycles for each in tokens),
            token_cycles=_ints(each.token_cycles for each in tokens),
            window_cycles=_ints(windows),
            pass_cycles=_ints(each.token_cycles for each in passes),
            token_lag_cycles=_ints(map(_lag_cycles, tokens, passes)),
            pass_lag_cycles=_ints(map(_lag_cycles, passes, tokens)),
            paced_windows=_ints(behind for behind, _ in paced),
            paced_pass_cycles=_ints(cycles for _, cycles in paced),
            change_cycles=_CHANGE_EPOCHS * epoch_cycles,
            kv_bytes_per_token=_kv_bytes_per_token(plan),
            decode_certificates=tuple(each.digest for each in tokens),
            chunk_certificates=tuple(each.digest for each in passes),
            turn_j=np.array([each.dynamic_j for each in tokens]),
            chunk_j=np.array([each.dynamic_j for each in passes]),
        )

    def _pass(
        self, plan: ShardingPlan, task: Task, context: int, sequences: int
    ) -> CompiledPass:
        """Return a pass at a context, compiled unless it is known."""
        # A chunk that is longer than the context is the context.
        query = min(task.query_tokens, context)
        own = task._replace(
            context=context,
            query_tokens=query,
            answer_tokens=min(task.answer_tokens, query),
        )
        lacking = lacking_bytes(plan, own)
        if lacking > 0:
            raise PlanError(
                f"a pass of {query} positions at a context of {context} does not fit: "
                f"the fullest chip lacks {lacking:,} bytes; use a shorter chunk or "
                f"fewer slots"
            )
        key = str(plan.strategy), sequences, own
        if key not in self._compiled:
            passing = pass_plan(replace(plan, sequences=sequences), own)
            schedule = compile_token(passing, self._topology)
            program = schedule.program
            certificate = verify(
                program, self._topology, plan.machine, plan=schedule.plan
            )
            spent = program_energy(program, self._topology, plan.machine)
            self._compiled[key] = CompiledPass(
                interval_cycles=program.interval_cycles,
                period_cycles=program.period_cycles,
                token_cycles=program.token_cycles,
                slowest_cycles=max(schedule.timeline.stage_cycles),
                pitch_cycles=tuple(stage_pitch(schedule.timeline)),
                digest=certificate.digest,
                dynamic_j=spent.total.total,
            )
        return self._compiled[key]


def _check(plan: ShardingPlan) -> None:
    """Refuse a plan that serves no tokens, or in several replicas."""
    if plan.task.model.structure.encoder:
        raise PlanError(
            f"{plan.task.model.name} is an encoder and makes no tokens; serve a model "
            f"that decodes"
        )
    if plan.strategy.data > 1:
        raise PlanError(
            f"{plan.strategy} has {plan.strategy.data} replicas, and service times are "
            f"those of one; leave data= out and say replicas in the frame"
        )


def _lag_cycles(follower: CompiledPass, leader: CompiledPass) -> int:
    """Return what a pass takes longer if it may not overtake another in any stage."""
    pairs = zip(follower.pitch_cycles, leader.pitch_cycles, strict=True)
    return sum(max(0, there - here) for here, there in pairs)


def _paced(
    token: CompiledPass, chunk: CompiledPass, window_cycles: int
) -> tuple[int, int]:
    """Return by how many windows a chunk falls behind tokens, and its pass beside them.

    Each stage runs the frame of the one before it, later by what a token takes there. A
    chunk that takes longer goes on in one of the next windows of the next stage.
    """
    own, ahead = chunk.pitch_cycles, token.pitch_cycles
    behind = sum(
        ceil_div(max(0, here - there), window_cycles)
        for here, there in zip(own, ahead, strict=True)
    )
    return behind, chunk.token_cycles - sum(own) + sum(ahead)


def stage_pitch(timeline: Timeline) -> list[int]:
    """Return the cycles of a timeline from the start of each stage to the next one's.

    The last stage has no next one and is left out.
    """
    starts = [timeline.entries[0].start_cycle]
    ended = False
    for entry in timeline.entries:
        if ended:
            starts.append(entry.start_cycle)
        ended = isinstance(entry, TransportEntry) and entry.name == STAGE_TRANSFER
    return np.diff(starts).tolist()


def _kv_bytes_per_token(plan: ShardingPlan) -> int:
    """Return the bytes of a position's keys and values on the chip with the most."""
    most = max(int(kept.max()) for kept in _cache_bytes(plan))
    # A sequence's positions are shared out over chips, so that one alone says too much.
    return ceil_div(most, plan.task.context)


def cache_bytes_per_token(plan: ShardingPlan) -> int:
    """Return the bytes of a position's keys and values on all chips of a plan."""
    total = sum(int(kept.sum()) for kept in _cache_bytes(plan))
    return ceil_div(total, plan.task.context)


def _cache_bytes(plan: ShardingPlan) -> list[Ints]:
    """Return the bytes of a sequence's KV cache on the chips of each stage."""
    task = plan.task._replace(batch=1)
    none = np.zeros(1, dtype=np.int64)
    return [
        sum((kv_cache_bytes(task, each, 1) for each in stage.blocks), none)
        for stage in plan.stages
    ]


def _ints(values: Iterable[int]) -> Ints:
    """Return numbers of buckets as an array."""
    return np.array(list(values), dtype=np.int64)
