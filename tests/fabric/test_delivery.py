from collections.abc import Callable

import numpy as np
import pytest

from compiler.schedule import Schedule
from fabric.delivery import Attempt, Delivery, LinkErrors, plan_delivery
from fabric.draws import Draws
from fabric.simulation import simulate

Compile = Callable[..., Schedule]


def errors_of(schedule: Schedule, seed: int = 1) -> LinkErrors:
    machine = schedule.plan.task.machine
    return LinkErrors(machine, schedule.program, Draws(seed))


def test_a_clean_run_computes_each_token_once(compiled: Compile) -> None:
    delivery = plan_delivery(errors_of(compiled(2, 2, link__ber=0)), 2, 3)
    once = tuple(Attempt(token, 0, ()) for token in range(3))
    assert delivery == Delivery(attempts=(once, once))
    assert (delivery.replays, delivery.iterations) == (0, (3, 3))


def test_a_token_is_tried_again_exactly_as_long_as_its_draws_damage_it(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 2, link__ber=3e-5)
    errors = errors_of(schedule)
    (attempts,) = plan_delivery(errors, 1, 50).attempts
    clean = [not errors.uncorrectable(0, k).any() for k in range(len(attempts))]
    assert [attempt.clean for attempt in attempts] == clean
    assert sum(clean) == 50
    tokens = [attempt.token for attempt in attempts]
    # The next token follows a clean attempt, the same one a damaged one.
    assert tokens == np.cumsum([0, *clean[:-1]]).tolist()


def test_the_run_replays_what_was_drawn_and_counts_what_the_links_met(
    compiled: Compile,
) -> None:
    schedule = compiled(2, 2, link__ber=1e-4)
    errors = errors_of(schedule, seed=5)
    delivery = plan_delivery(errors, 1, 20)
    result = simulate(
        schedule.program,
        schedule.topology,
        schedule.plan.task.machine,
        seed=5,
        tokens=20,
    )
    iterations = range(delivery.iterations[0])
    assert result.replays == delivery.replays > 0
    damaged = sum(int(errors.uncorrectable(0, k).sum()) for k in iterations)
    corrected = sum(int(errors.corrected(0, k).sum()) for k in iterations)
    assert result.links.uncorrectable.sum() == damaged
    assert result.links.corrected.sum() == corrected > 0
    flagged = [row.iteration for row in result.iterations if not row.delivered]
    assert flagged == [k for k in iterations if errors.uncorrectable(0, k).any()]


@pytest.mark.parametrize("ber", [1e-6, 1e-5])
def test_damage_is_as_frequent_as_the_odds_say(compiled: Compile, ber: float) -> None:
    schedule = compiled(2, 2, link__ber=ber, fec__code="none")
    errors = errors_of(schedule)
    rounds = 400
    hits = sum(int(errors.uncorrectable(0, k).sum()) for k in range(rounds))
    vectors = int(schedule.program.trains.vectors.sum())
    expected = rounds * vectors * 2624 * ber
    assert hits == pytest.approx(expected, rel=0.1, abs=4 * expected**0.5)
