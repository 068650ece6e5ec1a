"""Plan for a number of users: replicas, sequences in flight and batch together.

Each user has a conversation of their own. Users are served by replicas, by sequences
that take turns in a replica's pipeline, and by batches that decode together as one. The
more of either, the longer a user waits from one token to the next; which of them costs
least depends on the model, the machine and the context. All are tried in steps of two.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

from rich.console import RenderableType
from rich.text import Text

from compiler.compile_decode import compile_token
from compiler.search.branch_and_bound import best_strategy
from compiler.search.objective import Objective
from compiler.search.search_result import SearchResult
from experiments.run.preparation import AUTO, Prepared, Searched
from experiments.run.scenario_inputs import machine_of, model_of, topology_of
from experiments.tables.text_tables import named_table, titled
from sharding.placement.default_placement import placed_chips
from sharding.planner.infeasibility import least_chips
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.bounds import MOST_SEQUENCES
from specs.errors import PlanError, RackError, SpecError
from specs.progress import progress_as_part
from specs.scenario import Scenario
from specs.units import US_PER_S, ceil_div
from topologies.topology import Topology


class Shares(NamedTuple):
    """How a number of users share a machine.

    Attributes
    ----------
    replicas, sequences, batch
        Replicas, sequences in flight in each, and users whose tokens are decoded
        together; as many users as their product can be served.
    """

    replicas: int
    sequences: int
    batch: int


class TriedShares(NamedTuple):
    """Shares that were tried.

    Attributes
    ----------
    shares
        How users share the machine.
    found
        The best strategy for them, with replicas; None if there is none.
    reason
        Why there is none.
    """

    shares: Shares
    found: SearchResult | None
    reason: str = ""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class UsersPlan:
    """The plan that gives each of a number of users the most tokens per second.

    Parameters
    ----------
    users
        Number of users.
    prepared
        The plan, with the scenario that runs it.
    tried
        All shares that were tried.
    """

    users: int
    prepared: Prepared
    tried: tuple[TriedShares, ...]


def shares_of(users: int, most_replicas: int) -> Iterator[Shares]:
    """Yield the ways in which users can share a machine, in steps of two.

    >>> [tuple(each) for each in shares_of(3, 1)]
    [(1, 3, 1), (1, 2, 2), (1, 1, 3)]
    >>> [tuple(each) for each in shares_of(4, 2)]
    [(1, 4, 1), (1, 2, 2), (1, 1, 4), (2, 2, 1), (2, 1, 2)]
    """
    replicas = 1
    while replicas <= min(users, most_replicas):
        of_each, batch = ceil_div(users, replicas), 1
        while batch < of_each:
            yield Shares(replicas, ceil_div(of_each, batch), batch)
            batch *= 2
        yield Shares(replicas, 1, of_each)
        replicas *= 2


def plan_for_users(scenario: Scenario, users: int) -> UsersPlan:
    """Return the plan with the least time from one token of a user to the next.

    Parameters
    ----------
    scenario
        What is asked, with ``strategy`` ``auto``.
    users
        Number of users, each with a context of their own.

    Raises
    ------
    SpecError
        If the scenario says what the search is to choose.
    PlanError
        If no way to share the machine has a plan.
    """
    if not 1 <= users <= MOST_SEQUENCES:
        raise SpecError(f"--users {users}: ask for 1 to {MOST_SEQUENCES:,}")
    if scenario.strategy != AUTO:
        raise SpecError(
            f"--users {users} chooses the split too; leave out --strategy "
            f"{scenario.strategy}, or say --sequences and --batch"
        )
    for name in ("sequences", "batch", "objective", "placement"):
        default = Scenario.model_fields[name].default
        if getattr(scenario, name) != default:
            raise SpecError(
                f"--users {users} chooses sequences, batch and replicas for the "
                f"fastest token of each user; leave out --{name}"
            )
    began = time.perf_counter()
    model, machine = model_of(scenario), machine_of(scenario)
    topology = topology_of(scenario, machine)
    task = Task(model, machine, 1, scenario.context, 1)
    most = topology.active_chips // least_chips(task, 1)
    all_shares = list(shares_of(users, max(1, most)))
    tried = []
    for number, shares in enumerate(all_shares, 1):
        with progress_as_part(f"way {number} of {len(all_shares)}"):
            tried.append(_tried(task._replace(batch=shares.batch), topology, shares))
    fitting = [each for each in tried if each.found is not None]
    if not fitting:
        raise PlanError(
            f"{users} users: no way to share {topology.active_chips:,} chips has a "
            f"plan; {tried[0].reason}"
        )
    best = min(fitting, key=_rank)
    assert best.found is not None
    plan = best.found.schedule.plan
    ran = {"sequences": plan.sequences, "batch": plan.task.batch}
    prepared = Prepared(
        scenario=scenario.model_copy(update=ran),
        model=model,
        machine=machine,
        topology=topology,
        plan=plan,
        searched=Searched(best.found, time.perf_counter() - began),
    )
    return UsersPlan(users=users, prepared=prepared, tried=tuple(tried))


def _rank(tried: TriedShares) -> tuple[int, int]:
    """Return what shares are ranked by: cycles from token to token, then chips."""
    assert tried.found is not None
    best = tried.found.compiled[0]
    return best.latency_cycles, best.strategy.chips


def _tried(task: Task, topology: Topology, shares: Shares) -> TriedShares:
    """Return the best strategy of shares: searched on the chips of one, then copied."""
    chips = topology.active_chips // shares.replicas
    part = replace(topology, active=topology.active[:chips])
    try:
        found = best_strategy(
            task, part, objective=Objective.LATENCY, sequences=shares.sequences
        )
        if shares.replicas > 1:
            found = _copied(found, topology, shares.replicas)
    except RackError as error:
        return TriedShares(shares, None, str(error))
    return TriedShares(shares, found)


def _copied(found: SearchResult, topology: Topology, replicas: int) -> SearchResult:
    """Return a search's result with its best strategy on so many replicas."""
    one = found.schedule.plan
    strategy = replace(one.strategy, data=replicas)
    plan = plan_sharding(
        one.task.split_as(strategy),
        strategy,
        placed_chips(topology, strategy),
        sequences=one.sequences,
    )
    schedule = compile_token(plan, topology)
    best = found.compiled[0]._replace(
        strategy=strategy,
        latency_cycles=schedule.latency_cycles,
    )
    return replace(found, schedule=schedule, compiled=(best, *found.compiled[1:]))


def users_document(plan: UsersPlan) -> dict[str, Any]:
    """Return the block ``users`` of a plan's JSON report."""
    hz = plan.prepared.machine.chip.clock_hz
    return {
        "users": plan.users,
        "ways": [
            {
                **each.shares._asdict(),
                "strategy": None,
                "tokens_per_s_per_user": None,
                "reason": each.reason,
            }
            if each.found is None
            else {
                **each.shares._asdict(),
                "strategy": str(each.found.compiled[0].strategy),
                "tokens_per_s_per_user": hz / each.found.compiled[0].latency_cycles,
                "reason": "",
            }
            for each in plan.tried
        ],
    }


def users_report(plan: UsersPlan) -> RenderableType:
    """Return the text table of all ways to share the machine, the fastest first."""
    hz = plan.prepared.machine.chip.clock_hz
    fitting = sorted((each for each in plan.tried if each.found), key=_rank)
    rows = []
    for each in fitting:
        assert each.found is not None
        best = each.found.compiled[0]
        rows.append(
            [
                f"{hz / best.latency_cycles:,.1f}",
                f"{best.latency_cycles / hz * US_PER_S:,.1f}",
                *(f"{share:,}" for share in each.shares),
                str(best.strategy),
            ]
        )
    headings = ["tokens/s each", "us", "replicas", "sequences", "batch", "strategy"]
    refused = len(plan.tried) - len(fitting)
    notes = [Text(f"{refused} more ways have no plan")] if refused else []
    title = f"{plan.users:,} users, {len(plan.tried)} ways to share the chips"
    return titled(title, named_table(headings, rows), *notes)
