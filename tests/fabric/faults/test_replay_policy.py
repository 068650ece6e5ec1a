from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.ir.schedule import Schedule
from fabric.faults.delivery import Attempt, Delivery, SequenceState
from fabric.faults.fault_script import NEVER, Outages
from fabric.faults.link_errors import LinkErrors
from fabric.faults.losses import Losses
from fabric.faults.replay_policy import MOST_ATTEMPTS, Dispatcher
from fabric.faults.spares import Moved
from fabric.random_streams import Draws
from fabric.simulation import simulate

Compile = Callable[..., Schedule]


def outages_of(schedule: Schedule, stops: dict[str, int]) -> Outages:
    """Return a machine in order, but for chips and links that stop at a cycle."""
    topology = schedule.topology
    stop = np.full(topology.chips, NEVER, dtype=np.int64)
    dead = np.full(len(topology.source), NEVER, dtype=np.int64)
    for name, cycle in stops.items():
        kind, number = name.split("_")
        (stop if kind == "chip" else dead)[int(number)] = cycle
    return Outages(stop_cycle=stop, dead_cycle=dead, rates=())


def losses_of(schedule: Schedule, stops: dict[str, int]) -> Losses:
    return Losses(
        schedule.program,
        schedule.topology,
        schedule.plan.task.machine,
        outages_of(schedule, stops),
    )


def errors_of(schedule: Schedule, seed: int = 1) -> LinkErrors:
    machine = schedule.plan.task.machine
    out = outages_of(schedule, {})
    return LinkErrors(machine, schedule.program, Draws(seed), out)


def dispatcher_of(
    schedule: Schedule,
    *,
    seed: int = 1,
    move: Callable[[int, int], Moved | str] = lambda _node, _cycle: "nowhere to go",
    stops: dict[str, int] | None = None,
) -> Dispatcher:
    return Dispatcher(
        schedule.program,
        schedule.topology,
        errors=errors_of(schedule, seed),
        losses=losses_of(schedule, stops or {}),
        move=move,
    )


def planned(dispatcher: Dispatcher, sequences: int, tokens: int) -> Delivery:
    return dispatcher.plan((SequenceState(),) * sequences, tokens)


def test_a_clean_run_computes_each_token_once(compiled: Compile) -> None:
    schedule = compiled(2, 2, sequences=2, link__ber=0)
    delivery = planned(dispatcher_of(schedule), 2, 3)
    once = tuple(Attempt(token, 0) for token in range(3))
    assert delivery == Delivery(
        attempts=(once, once),
        failure=None,
        waiting=(SequenceState(3), SequenceState(3)),
    )
    assert delivery.iterations == (3, 3)


def test_a_token_is_tried_again_exactly_as_long_as_its_draws_damage_it(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 2, link__ber=3e-5)
    errors, dispatcher = errors_of(schedule), dispatcher_of(schedule)
    (attempts,) = planned(dispatcher, 1, 50).attempts
    clean = [not len(errors.damaged(k, 0)) for k in range(len(attempts))]
    assert [attempt.clean for attempt in attempts] == clean
    assert sum(clean) == 50
    tokens = [attempt.token for attempt in attempts]
    # The next token follows a clean attempt, the same one a damaged one.
    assert tokens == np.cumsum([0, *clean[:-1]]).tolist()


def test_the_run_replays_what_was_drawn_and_counts_what_the_links_met(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 2, link__ber=6e-5)
    errors = errors_of(schedule, seed=5)
    delivery = planned(dispatcher_of(schedule, seed=5), 1, 20)
    result = simulate(
        schedule.program,
        schedule.topology,
        schedule.plan.task.machine,
        seed=5,
        tokens=20,
    )
    iterations = range(delivery.iterations[0])
    replays = sum(attempt.attempt > 0 for attempt in delivery.attempts[0])
    assert result.replays == replays > 0
    damaged = sum(len(errors.damaged(k, 0)) for k in iterations)
    corrected = sum(int(errors.corrected(k, 0).codewords.sum()) for k in iterations)
    assert result.links.uncorrectable.sum() == damaged
    assert result.links.corrected.sum() == corrected > 0
    flagged = [row.iteration for row in result.iterations if not row.delivered]
    assert flagged == [k for k in iterations if len(errors.damaged(k, 0))]


@pytest.mark.parametrize("ber", [1e-6, 1e-5])
def test_damage_is_as_frequent_as_the_odds_say(compiled: Compile, ber: float) -> None:
    schedule = compiled(2, 2, link__ber=ber, fec__code="none")
    errors = errors_of(schedule)
    rounds = 400
    hits = sum(len(errors.damaged(k, 0)) for k in range(rounds))
    vectors = int(schedule.program.trains.vectors.sum())
    expected = rounds * vectors * 2624 * ber
    assert hits == pytest.approx(expected, rel=0.1, abs=4 * expected**0.5)


def test_what_fails_twice_while_a_token_is_tried_ends_the_stint(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 4, link__ber=0)
    link = int(schedule.program.trains.link[0])
    asked: list[tuple[int, int]] = []

    def move(node: int, cycle: int) -> Moved:
        asked.append((node, cycle))
        return Moved(schedule.program, (), 1, 0, 0)

    period = schedule.program.period_cycles
    dispatcher = dispatcher_of(schedule, move=move, stops={f"link_{link}": 2 * period})
    delivery = planned(dispatcher, 1, 9)
    attempts = delivery.attempts[0]
    assert [(a.token, a.attempt) for a in attempts] == [(0, 0), (1, 0), (2, 0), (2, 1)]
    assert [attempt.clean for attempt in attempts] == [True, True, False, False]
    failure = delivery.failure
    assert failure is not None
    assert (failure.iteration, failure.token, failure.link) == (3, 2, link)
    assert failure.chip == schedule.topology.source[link]
    # It is known at the token's end, and asked for once.
    end = 3 * period + schedule.program.token_cycles
    assert asked == [(0, end)]
    assert delivery.waiting == (SequenceState(2, 2, frozenset({link})),)


def test_a_chip_that_stops_is_named_and_not_its_links(compiled: Compile) -> None:
    schedule = compiled(2, 4, link__ber=0)
    moved = Moved(schedule.program, (), 1, 0, 0)
    dispatcher = dispatcher_of(
        schedule, move=lambda _node, _cycle: moved, stops={"chip_5": 1000}
    )
    failure = planned(dispatcher, 1, 3).failure
    assert failure is not None
    assert (failure.link, failure.chip) == (-1, 5)


@given(
    stop=st.integers(0, 60_000),
    chip=st.integers(0, 7),
    sequences=st.integers(1, 3),
    tokens=st.integers(1, 5),
)
def test_without_a_spare_a_sequence_gives_up_and_says_why(
    compiled: Compile, stop: int, chip: int, sequences: int, tokens: int
) -> None:
    schedule = compiled(2, 4, sequences=sequences, link__ber=0)
    dispatcher = dispatcher_of(schedule, stops={f"chip_{chip}": stop})
    delivery = planned(dispatcher, sequences, tokens)
    assert delivery.failure is None
    for state, attempts in zip(delivery.waiting, delivery.attempts, strict=True):
        clean = sum(attempt.clean for attempt in attempts)
        assert state.token == clean
        if clean < tokens:
            assert len(attempts) == clean + MOST_ATTEMPTS
            assert f"chip {chip} does not answer, and nowhere to go" in state.given_up
