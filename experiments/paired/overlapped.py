"""Points of a paired case whose lanes take turns: attention or drafts on devices.

Prompts are on the devices, in the time that lanes leave them.
"""

from collections.abc import Callable
from functools import cache

from compiler.compile_decode import compile_token
from compiler.verify import verify
from experiments.paired.case import TRAFFIC, Case, Point
from experiments.paired.machine_alone import MachineAlone
from experiments.run.speculative_decoding import tokens_per_step
from serving.cycle_time import CycleTime
from serving.pairing.attention import attention_legs
from serving.pairing.draft import draft_legs
from serving.pairing.feed_forward import FeedForward, compile_feed_forwards
from serving.pairing.lanes import LINKS, LaneRun, Leg, Side, run_lanes
from sharding.parallelism.strategy import parse_strategy
from sharding.planner.chunked_prefill import pass_plan
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.decode_work import decode_work
from specs.errors import RackError
from specs.pairing import Drafter

# Assumed, as in experiments.speculative_decoding; drafts are accepted independently.
ACCEPTANCE = 0.7
# Tokens of a lane: the first brings lanes into turn.
_STEPS = 4


@cache
def fastest_feed_forwards(case: Case, batch: int) -> tuple[FeedForward, ...]:
    """Return the feed-forwards of a paired case in the fastest split of its groups.

    Raises
    ------
    RackError
        If none fits.
    """
    found: list[list[FeedForward]] = []
    refused: RackError | None = None
    for text in case.feed_forwards:
        strategy = parse_strategy(text, case.chips)
        task = case.task(strategy, batch)
        try:
            found.append(
                compile_feed_forwards(task, strategy, case.topology, case.placed)
            )
        except RackError as error:
            refused = error
    if not found:
        assert refused is not None
        raise refused
    return tuple(min(found, key=lambda each: sum(layer.cycles for layer in each)))


def attention_point(case: Case, *, lanes: int, batch: int, seed: int) -> Point:
    """Return the point of a paired case with attention on devices.

    Parameters
    ----------
    case
        The case.
    lanes, batch
        Groups of users, and users of each.
    seed
        Seed of the jitter.

    Raises
    ------
    RackError
        If no group of chips holds its feed-forwards.
    """
    strategy = parse_strategy(case.feed_forwards[0], case.chips)
    legs = attention_legs(
        case.task(strategy, batch), fastest_feed_forwards(case, batch), case.pair
    )
    return _point(case, legs, "attention", lanes=lanes, batch=batch, seed=seed)


def draft_point(
    case: Case,
    machine: MachineAlone | None,
    *,
    lanes: int,
    batch: int,
    seed: int,
) -> Point:
    """Return the point of a paired case with drafts on one side.

    Parameters
    ----------
    case
        The case; its pairing says who drafts.
    machine
        The machine that verifies; None if the machine drafts.
    lanes, batch, seed
        As of `attention_point`.

    Raises
    ------
    RackError
        If the draft model does not fit its chips.
    """
    pair, count = case.pair, case.pair.drafted_tokens
    chips = case.chips
    if pair.drafter is Drafter.MACHINE:
        chips = case.draft_chips
        leg = Leg(Side.MACHINE, _drafting_cycles(case, batch, count))
        device_ps = _step_ps(case, case, batch, count + 1)
    else:
        assert machine is not None
        # The users of a lane follow each other through the pipeline.
        behind = (batch - 1) * machine.slot_cycles
        leg = Leg(
            Side.MACHINE,
            machine.token_cycles + behind,
            pitch=batch * machine.slot_cycles,
        )
        drafter = _draft_case(case)
        device_ps = count * _step_ps(case, drafter, batch, 1)
    legs = draft_legs(pair, machine_leg=leg, device_ps=device_ps, users=batch)
    return _point(
        case,
        legs,
        "draft",
        lanes=lanes,
        batch=batch,
        seed=seed,
        drafter=pair.drafter.value,
        chips=chips,
        tokens=tokens_per_step(ACCEPTANCE, count),
    )


def _point(
    case: Case,
    legs: list[Leg],
    kind: str,
    *,
    lanes: int,
    batch: int,
    seed: int,
    drafter: str = "",
    chips: int = 0,
    tokens: float = 1.0,
) -> Point:
    """Return the point of a paired case's lanes, with prompts on its devices."""
    clock = CycleTime.of(case.hardware.chip.clock_hz)
    run = run_lanes(legs * _STEPS, case.pair, clock, seed=seed, lanes=lanes)
    assert run.sent_bytes == run.received_bytes
    size, users = len(legs), lanes * batch
    step_ps = run.step_ps(size)
    begin = int(run.end_ps[:, size - 1].max())
    end = int(run.end_ps[:, -1].min())
    busy = {side: run.busy_share(side, begin, end) for side in Side}
    # Prompts take what lanes leave of the devices, and then make a step longer.
    prompts_ps = tokens * users * case.prompt_ps / TRAFFIC.answer
    longer_ps = max(step_ps, busy[Side.DEVICES] * step_ps + prompts_ps)
    shorter = step_ps / longer_ps
    return Point(
        kind=kind,
        users=users,
        step_ps=longer_ps,
        chips=chips or case.chips,
        devices=case.pair.devices,
        drafter=drafter,
        lanes=lanes,
        tokens_per_step=tokens,
        machine_busy=busy[Side.MACHINE] * shorter,
        devices_busy=busy[Side.DEVICES] * shorter + prompts_ps / longer_ps,
        link_busy=max(busy[side] for side in LINKS) * shorter,
        link_bytes_per_token=_crossing(run) / (users * _STEPS * tokens),
    )


def _crossing(run: LaneRun) -> int:
    """Return the bytes that cross the link of a paired case, both ways."""
    return sum(run.received_bytes.values())


def _step_ps(case: Case, of: Case, batch: int, positions: int) -> int:
    """Return the time of a step of a model on the devices of a paired case."""
    task = of.task(of.split(of.strategy), 1)
    work = decode_work(
        of.spec,
        context=min(TRAFFIC.context, of.spec.max_context_tokens),
        batch=batch,
        weights=task.formats,
        kv_cache=task.cached_format,
        positions=positions,
        answers=positions,
    )
    return case.pair.device_ps(
        flop=work.flop, read_bytes=work.read_bytes, layers=of.spec.layers
    )


def _draft_case(case: Case) -> Case:
    """Return the draft model of a paired case on its chips."""
    return Case(
        model=case.draft,
        machine=case.machine,
        chips=case.draft_chips,
        strategy=case.draft_strategy,
        feed_forwards=(),
        pairing=case.pairing,
    )


@cache
def _drafting_cycles(case: Case, batch: int, count: int) -> int:
    """Return the cycles in which a paired machine drafts tokens for a batch.

    The first pass takes two positions: the last token of the step before may have been
    accepted, but has not passed through the draft yet.
    """
    drafter = _draft_case(case)
    strategy = drafter.split(drafter.strategy)
    plan = plan_sharding(drafter.task(strategy, batch), strategy, drafter.placed)

    def compiled(positions: int) -> int:
        task: Task = plan.task._replace(query_tokens=positions, answer_tokens=positions)
        schedule = compile_token(pass_plan(plan, task), drafter.topology)
        verify(schedule.program, drafter.topology, task.machine, plan=schedule.plan)
        return schedule.latency_cycles

    return compiled(2) + (count - 1) * compiled(1)


def break_even_latency_us(
    per_user: Callable[[int], float], wanted: float, *, most_us: int = 100_000
) -> float | None:
    """Return the link latency at which a paired user has a rate, in us.

    Parameters
    ----------
    per_user
        Returns the rate at a latency of the link in ns.
    wanted
        The rate, tokens per second.
    most_us
        Latency beyond which is not looked.

    Returns
    -------
    float
        The longest latency with that rate at least, to one part in a hundred; None if
        there is none.
    """
    low, high = 0, most_us * 1000
    if per_user(low) < wanted:
        return None
    if per_user(high) >= wanted:
        return float(most_us)
    while high - low > max(10, low // 100):
        middle = (low + high) // 2
        if per_user(middle) >= wanted:
            low = middle
        else:
            high = middle
    return low / 1000
