from collections.abc import Callable

import pytest

from compiler.ir.schedule import Schedule
from fabric.results.result import Failover, Missing
from fabric.results.violation import Violation
from fabric.simulation import simulate

Compile = Callable[..., Schedule]
LATE = Violation(
    kind="underflow",
    sequence=0,
    iteration=3,
    link=7,
    source=1,
    target=2,
    cycle=500,
    margin_ps=-1200,
    vectors=0,
)


def test_an_underflow_says_where_by_how_much_and_what_to_do() -> None:
    assert str(LATE) == (
        "underflow on link 7 (chip 1 to 2) at cycle 500 of iteration 3: 1200 ps late; "
        "deskew more often (deskew.interval_epochs), or plan for more drift "
        "(clock.drift_ppm) or jitter (link.jitter_cycles)"
    )


def test_an_overflow_says_how_many_places_would_do() -> None:
    full = LATE._replace(kind="overflow", margin_ps=90_000, vectors=18)
    assert str(full) == (
        "overflow on link 7 (chip 1 to 2) at cycle 500 of iteration 3: 18 vectors "
        "wait; raise link.fifo_vectors to 18 or deskew more often "
        "(deskew.interval_epochs)"
    )


def test_a_fifo_that_was_not_planned_for_overflows_and_damages_the_token(
    compiled: Compile,
) -> None:
    # Vectors so short that a whole train of them comes within the guard band.
    schedule = compiled(
        4, 2, link__vector_bytes=8, link__wire_bytes=16, link__fifo_vectors=99
    )
    machine = schedule.plan.task.machine.with_settings({"link.fifo_vectors": 1})
    result = simulate(schedule.program, schedule.topology, machine, seed=1, tokens=2)
    assert result.overflows > 0
    assert {violation.kind for violation in result.violations} == {"overflow"}
    assert min(violation.vectors for violation in result.violations) >= 2
    assert result.tokens_lost == 2


def test_of_each_kind_only_the_first_hundred_are_told(compiled: Compile) -> None:
    schedule = compiled(8, 9, deskew__interval_epochs=0)
    result = simulate(
        schedule.program,
        schedule.topology,
        schedule.plan.task.machine,
        seed=1,
        tokens=40,
    )
    assert result.underflows > 100
    kinds = [violation.kind for violation in result.violations]
    assert kinds.count("underflow") == 100


@pytest.mark.parametrize(
    ("link", "spare_node", "sentence"),
    [
        (
            7,
            9,
            "node 3 bad after token 12 (chip 25: link 7 failed twice); moved to node 9 "
            "in 1,500.0 us",
        ),
        (
            -1,
            -1,
            "node 3 bad after token 12 (chip 25: did not answer twice); went around it "
            "in 1,500.0 us",
        ),
    ],
)
def test_a_failover_says_what_failed_and_how_long_it_took(
    link: int, spare_node: int, sentence: str
) -> None:
    failover = Failover(
        sequence=0,
        iteration=14,
        token=12,
        link=link,
        chip=25,
        bad_node=3,
        spare_node=spare_node,
        stopped_ps=10**9,
        loaded_bytes=1,
        load_ps=1,
        resumed_ps=25 * 10**8,
    )
    assert str(failover) == sentence


def test_missing_tokens_are_named_by_number() -> None:
    one, more = Missing(1, 4, 4, "late"), Missing(1, 4, 6, "late")
    assert (one.tokens, more.tokens) == (1, 3)
    assert str(one) == "token 4 of sequence 1 missing: late"
    assert str(more) == "tokens 4 to 6 of sequence 1 missing: late"
