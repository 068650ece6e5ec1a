"""Machine alone, of a paired case: its decode frame and its prompts, compiled."""

from dataclasses import dataclass
from typing import final

from compiler.compile_decode import compile_token
from compiler.verify import verify
from experiments.paired.case import TRAFFIC, Case
from serving.compiled_times import ServiceCompiler
from serving.frame import FrameTimes
from sharding.planner.plan import ShardingPlan, plan_sharding
from specs.units import ceil_div


@final
@dataclass(frozen=True, kw_only=True)
class MachineAlone:
    """What a paired machine does without devices, in cycles, from proven schedules.

    Parameters
    ----------
    slots
        Sequences in flight for which it is compiled.
    slot_cycles, period_cycles, token_cycles
        From one sequence to the next, from a token of a sequence to its next, and until
        a token is back at the first stage.
    window_cycles
        What a chunk of a prompt takes; None if the machine computes no prompts.
    pass_cycles
        From the start of a chunk until its token is chosen.
    certificate
        Digest of the decode program's certificate.
    """

    slots: int
    slot_cycles: int
    period_cycles: int
    token_cycles: int
    window_cycles: int | None
    pass_cycles: int | None
    certificate: str

    def windows_per_turn(self, chunk_tokens: int) -> float:
        """Return the windows that prompts take for each token of a user."""
        return ceil_div(TRAFFIC.prompt, chunk_tokens) / TRAFFIC.answer

    def frame(self, users: int) -> FrameTimes:
        """Return the decode frame of so many users, without prompts."""
        return FrameTimes(
            slots=users,
            windows=0,
            frame_cycles=max(self.period_cycles, users * self.slot_cycles),
            window_cycles=0,
            pass_cycles=0,
            behind_windows=0,
            first_slot_cycles=0,
            slot_cycles=self.slot_cycles,
            token_cycles=self.token_cycles,
        )


def compile_alone(case: Case, *, drafted_tokens: int = 0) -> MachineAlone:
    """Return what the machine of a paired case does alone, compiled and verified.

    Parameters
    ----------
    case
        The case.
    drafted_tokens
        Tokens that each turn verifies beside its own.

    Raises
    ------
    RackError
        If the model does not fit, or no schedule holds.
    """
    strategy = case.split(case.strategy)
    task = case.task(strategy, 1)
    plan = plan_sharding(task, strategy, case.placed, sequences=case.slots)
    if not case.chunk_tokens:
        return _decode_only(case, plan)
    times = ServiceCompiler(case.topology).times(
        plan, chunk_tokens=case.chunk_tokens, drafted_tokens=drafted_tokens
    )
    return MachineAlone(
        slots=case.slots,
        slot_cycles=int(times.slot_cycles[0]),
        period_cycles=int(times.period_cycles[0]),
        token_cycles=int(times.token_cycles[0]),
        window_cycles=int(times.window_cycles[0]),
        pass_cycles=int(times.pass_cycles[0]),
        certificate=times.decode_certificates[0],
    )


def _decode_only(case: Case, plan: ShardingPlan) -> MachineAlone:
    """Return what a machine of a paired case does that computes no prompts."""
    schedule = compile_token(plan, case.topology, patient=False)
    certificate = verify(
        schedule.program, case.topology, case.hardware, plan=schedule.plan
    )
    program = schedule.program
    return MachineAlone(
        slots=case.slots,
        slot_cycles=program.interval_cycles or program.period_cycles,
        period_cycles=program.period_cycles,
        token_cycles=program.token_cycles,
        window_cycles=None,
        pass_cycles=None,
        certificate=certificate.digest,
    )
