import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from experiments.run.scenario import run_scenario
from experiments.service.users_plan import (
    UsersPlan,
    plan_for_users,
    shares_of,
    users_document,
    users_report,
)
from specs.errors import PlanError, SpecError
from specs.scenario import Scenario

USERS = 4


@pytest.fixture(scope="module")
def asked(small_scenario: Scenario) -> Scenario:
    return small_scenario.model_copy(
        update={"strategy": "auto", "chips": 4, "sequences": 1, "tokens": 2}
    )


@pytest.fixture(scope="module")
def plan(asked: Scenario) -> UsersPlan:
    return plan_for_users(asked, USERS)


@given(users=st.integers(1, 300), replicas=st.integers(1, 9))
def test_every_way_to_share_a_machine_serves_all_users_and_none_is_idle(
    users: int, replicas: int
) -> None:
    ways = list(shares_of(users, replicas))
    assert len(set(ways)) == len(ways)
    for way in ways:
        assert way.replicas <= replicas
        assert way.replicas * way.sequences * way.batch >= users
        # One sequence fewer would not serve them all.
        assert way.replicas * (way.sequences - 1) * way.batch < users


def test_users_get_the_rate_that_the_plan_says_when_it_runs(plan: UsersPlan) -> None:
    prepared = plan.prepared
    scenario = prepared.scenario.model_copy(
        update={"strategy": str(prepared.plan.strategy), "engine": "replay"}
    )
    ran = run_scenario(scenario)
    assert prepared.searched is not None
    best = prepared.searched.found.compiled[0]
    assert ran.schedule.latency_cycles == best.latency_cycles
    # All searches took some time, which is said as that of the search.
    assert prepared.searched.wall_s > 0
    users = best.strategy.data * scenario.sequences * scenario.batch
    assert users >= USERS


def test_the_fastest_of_all_ways_is_taken(plan: UsersPlan) -> None:
    taken = plan.prepared.plan
    rates = {
        (way["replicas"], way["sequences"], way["batch"]): way["tokens_per_s_per_user"]
        for way in users_document(plan)["ways"]
        if way["strategy"] is not None
    }
    assert len(rates) > USERS // 2
    chosen = (taken.strategy.data, taken.sequences, taken.task.batch)
    assert rates[chosen] == max(rates.values())


def test_all_ways_are_told_the_fastest_first(plan: UsersPlan) -> None:
    console = Console(width=80, color_system=None)
    with console.capture() as printed:
        console.print(users_report(plan))
    title, heading, *rows = printed.get().splitlines()
    assert title.startswith("4 users, ")
    assert heading.split()[-1] == "strategy"
    rates = [float(row.split()[0].replace(",", "")) for row in rows if "=" in row]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"strategy": "tensor=2"}, "chooses the split too; leave out --strategy"),
        ({"sequences": 2}, "leave out --sequences"),
        ({"batch": 2}, "leave out --batch"),
        ({"objective": "chips"}, "leave out --objective"),
    ],
)
def test_what_the_search_chooses_cannot_be_given(
    asked: Scenario, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        plan_for_users(asked.model_copy(update=keys), USERS)


def test_a_number_of_users_that_nothing_serves_is_refused(asked: Scenario) -> None:
    with pytest.raises(SpecError, match="ask for 1 to 1,000,000"):
        plan_for_users(asked, 0)
    large = asked.model_copy(update={"model": "llama-2-7b", "chips": 2})
    with pytest.raises(PlanError, match="2 users: no way to share 2 chips has a plan"):
        plan_for_users(large, 2)
