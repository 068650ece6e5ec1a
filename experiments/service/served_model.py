"""Served model: the timetable of a scenario's pipeline, for requests one at a time."""

from dataclasses import replace
from typing import NamedTuple

from experiments.run.preparation import Prepared, plan_scenario
from experiments.service.fleet_of import check_by_position, check_cache
from serving.compiled_times import compile_service_times
from serving.frame import Frame, Pace, Policy
from serving.timetable.online import OnlineTimetable
from specs.errors import PlanError, SpecError
from specs.scenario import Scenario

# Under the others later requests delay earlier ones.
_POLICIES = (Policy.WINDOWS, Policy.SLOTS)


class FrameOptions(NamedTuple):
    """What is asked of the frame of a served model.

    Attributes
    ----------
    windows, chunk_tokens
        Prompt windows in a frame, and positions of a prompt in each.
    policy
        How prompts share the pipeline: ``windows`` or ``slots``.
    pace
        Whose pace the stages keep with windows: ``token`` or ``chunk``.
    """

    windows: int = 4
    chunk_tokens: int = 16
    policy: str = Policy.WINDOWS
    pace: str = Pace.TOKEN


def served_timetable(
    scenario: Scenario, options: FrameOptions, sram_tokens: int = 0
) -> OnlineTimetable:
    """Return the timetable on which a scenario's model is served, compiled and proven.

    The scenario's sequences are the decode slots; if it does not say how many, a slot
    for every stage, or as many as the chips have room for.

    Parameters
    ----------
    scenario
        Model, machine and strategy.
    options
        What is asked of the frame.
    sram_tokens
        Positions of a prefix cache that the chips must have room for.

    Raises
    ------
    SpecError
        If the frame cannot be.
    PlanError
        If the model does not fit, or is not one that is served.
    """
    if scenario.workload is not None:
        raise SpecError(
            f"workload {scenario.workload} makes no tokens; serve a model instead"
        )
    # What a frame cannot be is told before anything is compiled.
    if options.policy not in _POLICIES:
        raise SpecError(
            f"--policy {options.policy}: the future of a request is known when it "
            f"arrives with {' or '.join(_POLICIES)} only; use one of them"
        )
    if options.pace not in tuple(Pace):
        raise SpecError(f"--pace {options.pace} is not known; use token or chunk")
    policy = Policy(options.policy)
    if policy is Policy.WINDOWS and options.windows < 1:
        raise SpecError(
            f"--windows {options.windows} serves no prompt; use 1 or more, or "
            f"--policy slots"
        )
    frame = Frame(
        slots=1,
        windows=options.windows if policy is Policy.WINDOWS else 0,
        chunk_tokens=min(options.chunk_tokens, scenario.context),
        context_tokens=scenario.context,
        policy=policy,
        pace=Pace(options.pace),
    )
    prepared = with_slots(scenario)
    times = compile_service_times(
        prepared.plan, prepared.topology, chunk_tokens=frame.chunk_tokens
    )
    if sram_tokens:
        check_by_position(prepared.plan, "cache")
    check_cache(prepared.plan, times, sram_tokens)
    return OnlineTimetable(
        times,
        replace(frame, slots=prepared.plan.sequences),
    )


def with_slots(scenario: Scenario) -> Prepared:
    """Return the plan with its sequences, or with the most up to the stages."""
    if "sequences" in scenario.model_fields_set:
        return plan_scenario(scenario)
    fits = plan_scenario(scenario)
    least, most = 1, fits.plan.strategy.pipeline
    while least < most:
        middle = (least + most + 1) // 2
        try:
            fits = plan_scenario(scenario.model_copy(update={"sequences": middle}))
        except PlanError:
            most = middle - 1
        else:
            least = middle
    return fits
