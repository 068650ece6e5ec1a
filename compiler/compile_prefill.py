"""Compilation of the prefill of a prompt: chunks that follow each other through stages.

A chunk is in one stage at a time, as a token is, and a stage holds several: while one
computes, another exchanges or leaves. Each chunk has a timeline of its own, since it
attends to more positions than the one before.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from compiler.cost.roofline import feed_cycles, lower_bound_cycles
from compiler.ir.program_emission import emit
from compiler.ir.schedule import Schedule
from compiler.prefill.chunk_scheduler import ScheduledChunks, schedule_chunks
from compiler.prefill.chunk_steps import (
    one_at_a_time_cycles,
    stage_steps,
    stage_work,
)
from compiler.scheduling.plan_scheduler import PlanScheduler
from sharding.planner.chunked_prefill import (
    check_chunk,
    chunk_plans,
    chunks_together,
    largest_chunk,
)
from sharding.planner.plan import ShardingPlan
from specs.errors import PlanError, ScheduleError
from specs.progress import report_progress
from topologies.topology import Topology

# The least chunk that is tried: smaller ones leave the matrix unit to its feed.
_LEAST_CHUNK = 8
# The most chunks in a stage: one that computes, one that exchanges, one that leaves.
_MOST_TOGETHER = 3


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Prefill:
    """The static schedule of the prefill of a prompt.

    Parameters
    ----------
    prompt_tokens, chunk_tokens
        Positions of the prompt, and of each chunk but the last.
    schedule
        All chunks as one program; its latency ends when the first chosen token is back
        at the first stage.
    start_cycles
        When each chunk starts.
    """

    prompt_tokens: int
    chunk_tokens: int
    schedule: Schedule
    start_cycles: tuple[int, ...]

    @property
    def chunks(self) -> int:
        """Return the number of chunks."""
        return len(self.start_cycles)


def compile_prefill(
    plan: ShardingPlan, topology: Topology, prompt_tokens: int, chunk_tokens: int = 0
) -> Prefill:
    """Compile the prefill of a prompt in the stages of `plan` into a static schedule.

    Parameters
    ----------
    plan
        Who holds what; its context is what the cache must hold in the end.
    topology
        The topology.
    prompt_tokens
        Positions of the prompt of each sequence.
    chunk_tokens
        Positions that are computed together; 0 for the fastest power of two.

    Raises
    ------
    PlanError
        If the activations of a chunk do not fit, the model is an encoder, or there is
        more than one replica.
    ScheduleError
        If no schedule holds.
    """
    if plan.task.model.structure.encoder:
        raise PlanError(
            f"{plan.task.model.name} is an encoder, which computes all positions of "
            f"--context at once and has no prompt; leave --prompt out"
        )
    if plan.strategy.data > 1:
        raise PlanError(
            f"{plan.strategy} has {plan.strategy.data} replicas, and a prompt runs in "
            f"one; leave data= out to see what it takes there"
        )
    compiler = _PrefillCompiler(plan, topology, prompt_tokens)
    if chunk_tokens:
        chunk_tokens = min(chunk_tokens, prompt_tokens)
        check_chunk(plan, prompt_tokens, chunk_tokens)
        return compiler.prefill(compiler.timed(chunk_tokens))
    return compiler.prefill(compiler.fastest())


class _TimedChunks(NamedTuple):
    """Chunks of a length as one timeline.

    Attributes
    ----------
    chunk_tokens, plans
        Length of the chunks, and the plan of each.
    scheduled
        Their timeline, and when each starts.
    interval_cycles, together
        How often chips deskew, and the most chunks that a stage holds.
    """

    chunk_tokens: int
    plans: list[ShardingPlan]
    scheduled: ScheduledChunks
    interval_cycles: int
    together: int


@final
class _PrefillCompiler:
    """Compiler of the prefill of a prompt, in chunks of any length."""

    def __init__(
        self, plan: ShardingPlan, topology: Topology, prompt_tokens: int
    ) -> None:
        self._plan = plan
        self._topology = topology
        self._prompt_tokens = prompt_tokens
        self._scheduler = PlanScheduler(plan, topology, overlaps=False)

    def timed(self, chunk_tokens: int) -> _TimedChunks:
        """Return chunks of a length on the faster timeline: one in a stage, or several.

        Where few chunks pass many stages, several in one delay each other.
        """
        plans = chunk_plans(self._plan, self._prompt_tokens, chunk_tokens)
        interval_cycles = self._scheduler.interval_cycles(
            lambda: self._scheduler.timelines(plans[-2:], 0)
        )
        together = chunks_together(
            self._plan, self._prompt_tokens, chunk_tokens, _MOST_TOGETHER
        )
        return self._scheduled(chunk_tokens, plans, interval_cycles, {1, together})

    def _scheduled(
        self,
        chunk_tokens: int,
        plans: list[ShardingPlan],
        interval_cycles: int,
        together: set[int],
    ) -> _TimedChunks:
        """Return chunks on the fastest timeline, by how many a stage holds."""
        parts = self._scheduler.timelines(plans, interval_cycles)
        timing = self._scheduler.timing(interval_cycles)
        made: list[_TimedChunks] = []
        for number in sorted(together, reverse=True):
            if number == 1 and made and one_at_a_time_cycles(parts) > _cycles(made[0]):
                continue
            scheduled = schedule_chunks(
                parts,
                topology=self._topology,
                machine=self._plan.machine,
                timing=timing,
                stages=[stage.chips for stage in self._plan.stages],
                interval_cycles=interval_cycles,
                together=number,
            )
            made.append(
                _TimedChunks(chunk_tokens, plans, scheduled, interval_cycles, number)
            )
        # Of equal ones that with fewer chunks in a stage.
        return min(reversed(made), key=_cycles)

    def prefill(self, timed: _TimedChunks) -> Prefill:
        """Return the compiled prefill of chunks that are timed.

        Where a chip has no time to deskew, chips deskew less often, or a stage holds
        one chunk at a time.

        Raises
        ------
        ScheduleError
            If no schedule holds.
        """
        chunk_tokens, plans, together = timed.chunk_tokens, timed.plans, timed.together
        first, *longer = self._scheduler.longer_intervals(timed.interval_cycles)
        with suppress(ScheduleError):
            return self._assembled(timed)
        for interval_cycles in longer:
            with suppress(ScheduleError):
                return self._assembled(
                    self._scheduled(chunk_tokens, plans, interval_cycles, {together})
                )
        return self._assembled(self._scheduled(chunk_tokens, plans, first, {1}))

    def _assembled(self, timed: _TimedChunks) -> Prefill:
        """Return the compiled prefill of a timeline with its program."""
        timeline, program = self._scheduler.program(
            self._plan,
            [timed.scheduled.timeline],
            timed.interval_cycles,
            passes=timed.plans,
            together=timed.together,
        )
        return Prefill(
            prompt_tokens=self._prompt_tokens,
            chunk_tokens=timed.chunk_tokens,
            schedule=Schedule(
                plan=timed.plans[-1],
                topology=self._topology,
                tree=self._scheduler.tree,
                program=program,
                timeline=timeline,
                lower_bound_cycles=_bound_cycles(timed.plans),
            ),
            start_cycles=timed.scheduled.starts,
        )

    def fastest(self) -> _TimedChunks:
        """Return the fastest chunks: powers of two, or the whole prompt at once.

        Longer chunks use operands for more positions once they are fed, shorter ones
        fill stages sooner. Lengths are compiled in the order of a lower bound on their
        time, until none is below the best. The program text must fit.

        Raises
        ------
        PlanError
            If there is no such length.
        """
        plan, prompt_tokens = self._plan, self._prompt_tokens
        most = largest_chunk(plan, prompt_tokens)
        if not most:
            # The error for a single position at a time says what is lacking.
            check_chunk(plan, prompt_tokens, 1)
        lengths = {most, min(_LEAST_CHUNK, most)}
        lengths |= {1 << n for n in range(most.bit_length()) if 1 << n > _LEAST_CHUNK}
        bounds = sorted((self._least_cycles(each), each) for each in lengths)
        best: _TimedChunks | None = None
        for number, (least_cycles, chunk_tokens) in enumerate(bounds):
            report_progress("scheduling chunks of a prompt", number, len(bounds))
            if best and least_cycles >= best.scheduled.timeline.token_cycles:
                break
            with suppress(ScheduleError):
                timed = self.timed(chunk_tokens)
                faster = best is None or _cycles(timed) < _cycles(best)
                if faster and self._text_fits(timed):
                    best = timed
        chip = plan.machine.chip
        if best is None:
            raise PlanError(
                f"the program of a prompt of {prompt_tokens} positions does not fit in "
                f"{chip.program_reserve_bytes:,} bytes of text in any chunks that the "
                f"SRAM holds; raise chip.program_reserve_bytes, or use more chips"
            )
        return best

    def _least_cycles(self, chunk_tokens: int) -> int:
        """Return the least cycles of a prefill in chunks of a length.

        The first chunk passes all stages, and the slowest stage does as much for each
        of the whole chunks: none attends to less than the first.
        """
        plans = chunk_plans(self._plan, self._prompt_tokens, chunk_tokens)
        (first,) = self._scheduler.timelines(plans[:1], 0)
        work = [stage_work(steps) for steps in stage_steps(first)]
        more = self._prompt_tokens // chunk_tokens - 1
        return sum(map(sum, work)) + max(0, more) * max(map(max, work))

    def _text_fits(self, timed: _TimedChunks) -> bool:
        """Return whether the instructions of each chip fit where text is kept."""
        chip = self._plan.machine.chip
        leader = int(self._plan.stages[0].chips[0])
        emitted = emit(timed.scheduled.timeline, self._topology, chip, leader)
        most = int(np.bincount(emitted.instructions.chip).max())
        return most * chip.instruction_bytes <= chip.program_reserve_bytes


def _cycles(timed: _TimedChunks) -> int:
    """Return the cycles of a prefill."""
    return timed.scheduled.timeline.token_cycles


def _bound_cycles(plans: Sequence[ShardingPlan]) -> int:
    """Return the most of the last chunk's least cycles, and the feeds of any stage."""
    return max(lower_bound_cycles(plans[-1]), *feed_cycles(plans))
