"""Speculative decoding: a draft model proposes tokens, the target verifies them."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compiler.compile_decode import compile_token
from compiler.cost.link_timing import link_timing
from compiler.ir.messages import MessageTable
from compiler.ir.schedule import Schedule
from compiler.routing.message_scheduler import MessageScheduler
from compiler.verify import verify
from sharding.parallelism.strategy import Strategy
from sharding.planner.chunked_prefill import lacking_bytes, pass_plan
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.errors import PlanError, RackError
from specs.machine import MachineSpec
from specs.model import ModelSpec
from specs.units import US_PER_S
from topologies.outage import NO_OUTAGE
from topologies.routing.static_routes import Routes
from topologies.topology import Topology

_TOKEN_BYTES = 4


class PlacedModel(NamedTuple):
    """A model placed on chips of a machine, with the schedule of its decode token."""

    schedule: Schedule

    @property
    def first_chips(self) -> list[int]:
        """Return the chips of the first stage; the first of them is the leader."""
        return [int(chip) for chip in self.schedule.plan.stages[0].chips]

    def pass_cycles(self, positions: int) -> int:
        """Return the cycles of a pass that gives logits for several positions.

        Raises
        ------
        RackError
            If its activations do not fit, or no schedule holds.
        """
        plan = self.schedule.plan
        task = plan.task._replace(query_tokens=positions, answer_tokens=positions)
        lacking = lacking_bytes(plan, task)
        if lacking > 0:
            raise PlanError(
                f"a pass of {positions} positions of {plan.task.model.name} lacks "
                f"{lacking:,} bytes on the fullest chip; draft fewer tokens"
            )
        schedule = compile_token(pass_plan(plan, task), self.schedule.topology)
        verify(schedule.program, schedule.topology, task.machine, plan=schedule.plan)
        return schedule.latency_cycles


class SpeculationStep(NamedTuple):
    """Time of a speculative step with `draft_tokens` drafted, by part, in us."""

    draft_tokens: int
    draft_us: float
    transfer_us: float
    verify_us: float

    @property
    def step_us(self) -> float:
        """Return the time of the step: draft, transfer and verification, in us."""
        return self.draft_us + self.transfer_us + self.verify_us

    def tokens_per_s(self, acceptance: float) -> float:
        """Return the tokens per second of one user at an acceptance rate."""
        return tokens_per_step(acceptance, self.draft_tokens) / self.step_us * US_PER_S


def tokens_per_step(acceptance: float, draft_tokens: int) -> float:
    """Return the mean tokens of a step in a run of speculative decoding.

    They are the accepted ones and one of the target.
    With independent acceptances their mean is (1 - a^(K+1)) / (1 - a)
    (Leviathan et al. 2023, arXiv:2211.17192, equation 1).

    >>> tokens_per_step(0.5, 1), tokens_per_step(0.0, 8), tokens_per_step(1.0, 8)
    (1.5, 1.0, 9.0)
    """
    return float(sum(acceptance**power for power in range(draft_tokens + 1)))


def drawn_tokens(
    acceptance: float, draft_tokens: int, *, steps: int, seed: int
) -> NDArray[np.int64]:
    """Return the tokens of each step in a run of speculative decoding, drawn.

    Shape ``(steps,)``.
    """
    draws = np.random.default_rng(seed).random((steps, draft_tokens))
    # Tokens after the first refused one are discarded.
    accepted = np.cumprod(draws < acceptance, axis=1).sum(axis=1)
    tokens: NDArray[np.int64] = accepted.astype(np.int64) + 1
    return tokens


def fastest(
    model: ModelSpec,
    machine: MachineSpec,
    topology: Topology,
    chips: NDArray[np.int64],
    *,
    context: int,
    widths: tuple[int, ...],
    positions: int = 1,
) -> PlacedModel:
    """Return a model prepared to run at its fastest tensor width.

    Parameters
    ----------
    model, machine, topology, chips, context
        The model, its hardware, the chips to place it on, and the context length.
    widths
        Tensor widths to compare.
    positions
        Positions of the pass: one of a decode token, more of a verification.

    Raises
    ------
    RackError
        If it does not fit at any of the widths.
    """
    best: PlacedModel | None = None
    best_cycles = 0
    refused: RackError = PlanError("no width was asked for; name one")
    for width in widths:
        strategy = Strategy(tensor=width, pipeline=max(1, len(chips) // width))
        try:
            plan = plan_sharding(
                Task(model, machine, width, context, 1), strategy, chips
            )
            placed = PlacedModel(compile_token(plan, topology))
            cycles = placed.pass_cycles(positions)
        except RackError as error:
            refused = error
            continue
        if best is None or cycles < best_cycles:
            best, best_cycles = placed, cycles
    if best is None:
        raise refused
    return best


class Speculation:
    """Speculative decoding with a target and a draft model on one machine.

    Draft and target run alternately, so that they never share a link at the same time.

    Parameters
    ----------
    target, draft
        Two models on disjoint chips of one topology.
    """

    def __init__(self, target: PlacedModel, draft: PlacedModel) -> None:
        self.target, self.draft = target, draft
        self._machine = target.schedule.plan.task.machine
        self._verified = cache(target.pass_cycles)
        self._drafted = cache(draft.pass_cycles)

    def step(self, draft_tokens: int) -> SpeculationStep:
        """Return the time of a step that drafts `draft_tokens` tokens.

        The first pass of the draft takes two positions: its last token of the step
        before may have been accepted, but has not passed through the draft yet.
        """
        one = self.draft.schedule.latency_cycles
        drafted = self._drafted(2) + (draft_tokens - 1) * one
        to_target = self._transfer_cycles(self.draft, self.target, draft_tokens + 1)
        to_draft = self._transfer_cycles(self.target, self.draft, draft_tokens + 1)
        return SpeculationStep(
            draft_tokens,
            self._us(drafted),
            self._us(to_target + to_draft),
            self._us(self._verified(draft_tokens + 1)),
        )

    def _us(self, cycles: int) -> float:
        """Return cycles in us."""
        return cycles / self._machine.chip.clock_hz * US_PER_S

    def _transfer_cycles(
        self, source: PlacedModel, target: PlacedModel, tokens: int
    ) -> int:
        """Return the cycles to send tokens from a leader to the other's first stage."""
        topology = source.schedule.topology
        guard_cycles = source.schedule.program.guard_cycles
        timing = link_timing(topology, self._machine, guard_cycles)
        scheduler = MessageScheduler(
            topology, self._machine, Routes(topology, NO_OUTAGE), timing
        )
        messages = MessageTable.of(
            (source.first_chips[0], chip, _TOKEN_BYTES * tokens)
            for chip in target.first_chips
        )
        return scheduler.transport(messages).duration_cycles
