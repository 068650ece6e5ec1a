"""Prompt run: the pass of a scenario's prompt through the stages, and the host."""

from dataclasses import dataclass
from typing import final

from compiler.compile_prefill import Prefill, compile_prefill
from compiler.verify import Certificate, verify
from experiments.run.preparation import Prepared
from fabric.engine import engine_named
from fabric.results.result import RunResult
from specs.short_repr import short_repr
from specs.units import PS_PER_NS

# A token's number as it comes from the host: 32 bits.
TOKEN_BYTES = 4


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PromptRun:
    """A prompt that has been run.

    Parameters
    ----------
    prefill, certificate
        Its schedule, and that it holds; None where chips that drift never deskew.
    result
        What the simulated hardware did.
    host_ps
        What the prompt takes from the host to the chips before it.
    """

    prefill: Prefill
    certificate: Certificate | None
    result: RunResult
    host_ps: int

    __repr__ = short_repr

    @property
    def latency_ps(self) -> int:
        """Return the time of the pass, until the first token is at the first stage."""
        rows = self.result.iterations
        return min(row.end_ps for row in rows) - min(row.start_ps for row in rows)

    @property
    def period_s(self) -> float:
        """Return the seconds until the prompts of all sequences have passed."""
        schedule = self.prefill.schedule
        return schedule.program.period_cycles / schedule.plan.machine.chip.clock_hz

    @property
    def time_to_first_token_ps(self) -> int:
        """Return host, aligned start and pass together."""
        return self.host_ps + self.result.alignment_ps + self.latency_ps


def run_prompt(prepared: Prepared) -> PromptRun | None:
    """Return the run of a scenario's prompt through the stages, None if it has none.

    The prompts of sequences in flight follow each other through the stages; what is
    reported is the first one's.

    Raises
    ------
    RackError
        If a chunk does not fit or no schedule holds.
    """
    scenario, machine = prepared.scenario, prepared.machine
    if not scenario.prompt:
        return None
    prefill = compile_prefill(
        prepared.plan, prepared.topology, scenario.prompt, scenario.prefill_chunk
    )
    program = prefill.schedule.program
    certificate = None
    if machine.deskews or not machine.drifts:
        certificate = verify(
            program, prepared.topology, machine, plan=prefill.schedule.plan
        )
    execute = engine_named(scenario.engine)
    result = execute(program, prepared.topology, machine, seed=scenario.seed, tokens=1)
    payload_bytes = TOKEN_BYTES * scenario.prompt * scenario.batch
    return PromptRun(
        prefill=prefill,
        certificate=certificate,
        result=result,
        host_ps=machine.host.request_ps(payload_bytes),
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillFacts:
    """The pass of a prompt, its schedule, and the host's part of it."""

    prompt_tokens: int
    chunk_tokens: int
    chunks: int
    latency_ns: float
    period_cycles: int
    latency_cycles: int
    lower_bound_cycles: int
    breakdown_cycles: dict[str, int]
    host_ns: float
    alignment_ns: float
    instructions: int
    vectors: int
    certificate: str | None
    replays: int
    trajectory_hash: str


def prefill_facts(run: PromptRun) -> PrefillFacts:
    """Return the record of a prompt's run."""
    prefill, result = run.prefill, run.result
    schedule = prefill.schedule
    return PrefillFacts(
        prompt_tokens=prefill.prompt_tokens,
        chunk_tokens=prefill.chunk_tokens,
        chunks=prefill.chunks,
        latency_ns=run.latency_ps / PS_PER_NS,
        period_cycles=schedule.program.period_cycles,
        latency_cycles=schedule.program.token_cycles,
        lower_bound_cycles=schedule.lower_bound_cycles,
        breakdown_cycles=schedule.breakdown._asdict(),
        host_ns=run.host_ps / PS_PER_NS,
        alignment_ns=result.alignment_ps / PS_PER_NS,
        instructions=len(schedule.program.instructions),
        vectors=int(schedule.program.trains.vectors.sum()),
        certificate=run.certificate.digest if run.certificate else None,
        replays=result.replays,
        trajectory_hash=result.trajectory_hash,
    )
