"""Exact evaluator: times and compiles the plans of a search, and keeps the best."""

from typing import final

from compiler.compile_decode import TimedToken, compile_token, time_token
from compiler.ir.program_emission import Emitted, emit
from compiler.ir.schedule import Schedule
from compiler.search.objective import Cost, CostModel
from compiler.search.search_result import Evaluated
from compiler.search.search_space import machine_shape
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan
from topologies.topology import Topology


def emitted_token(plan: ShardingPlan, topology: Topology, timed: TimedToken) -> Emitted:
    """Return the instructions of a token that a search has timed, not compiled."""
    leader = int(plan.stages[0].chips[0])
    return emit(timed.timeline, topology, plan.task.machine.chip, leader)


@final
class ExactEvaluator:
    """Exact evaluator of plans, each by its strategy and its sequences in flight.

    Parameters
    ----------
    topology
        The topology.
    costs
        The costs of strategies by what is sought.

    Attributes
    ----------
    best, best_cost
        The best schedule so far, and its cost.
    compiled
        The strategies that were compiled, in that order.
    trains
        Trains in the tokens of all that were compiled.
    """

    def __init__(self, topology: Topology, costs: CostModel) -> None:
        self._topology = topology
        self._costs = costs
        self._plans: dict[tuple[Strategy, int], ShardingPlan] = {}
        self._tokens: dict[tuple[Strategy, int], TimedToken] = {}
        self._timed: dict[tuple[Strategy, int], Evaluated] = {}
        self.best: Schedule | None = None
        self.best_cost: Cost | None = None
        self.compiled: list[Evaluated] = []
        self.trains = 0

    @property
    def timed(self) -> tuple[Evaluated, ...]:
        """Return the strategies that were timed and not compiled, the best first."""
        return tuple(sorted(self._timed.values(), key=lambda each: each.cost))

    @property
    def evaluated(self) -> int:
        """Return the number of strategies that were timed or compiled."""
        return len(self.compiled) + len(self._timed)

    def add(self, plan: ShardingPlan, timed: TimedToken | None = None) -> None:
        """Add a plan that may be evaluated later, with its token if that is timed."""
        key = plan.strategy, plan.sequences
        self._plans[key] = plan
        if timed is not None:
            self._tokens[key] = timed

    def plan(self, strategy: Strategy, sequences: int) -> ShardingPlan:
        """Return a plan that was added and is not compiled yet."""
        return self._plans[strategy, sequences]

    def cost(self, plan: ShardingPlan, latency: int) -> Cost:
        """Return the least cost of a plan by the latency of its tokens, or a bound."""
        share = latency / (plan.sequences * plan.strategy.data)
        return self._costs.at_least(plan.strategy, latency, share)

    def time(self, strategy: Strategy, sequences: int) -> Cost:
        """Time the token of a single sequence; return its exact cost.

        Raises
        ------
        ScheduleError
            If no guard band or deskew interval holds.
        """
        key = strategy, sequences
        plan = self._plans[key]
        timed = time_token(plan, self._topology)
        latency = timed.timeline.token_cycles
        cost = self._costs.exact(
            strategy,
            latency,
            latency,
            lambda: emitted_token(plan, self._topology, timed),
        )
        stage_cycles = timed.timeline.stage_cycles
        self._tokens[key] = timed
        self._timed[key] = Evaluated(
            strategy, 1, cost, latency, max(stage_cycles), stage_cycles
        )
        return cost

    def compile(
        self, strategy: Strategy, sequences: int
    ) -> tuple[ShardingPlan, TimedToken, Cost]:
        """Compile a plan; return it with its timed token and its exact cost.

        Raises
        ------
        ScheduleError
            If the plan has no schedule.
        """
        key = strategy, sequences
        plan = self._plans.pop(key)
        self._timed.pop(key, None)
        topology = self._topology
        few = topology.active_chips <= machine_shape(topology).few_chips
        timed = self._tokens.pop(key, None) or time_token(plan, topology)
        self.trains += timed.timeline.trains * strategy.data
        schedule = compile_token(plan, topology, timed=timed, patient=few)
        latency = schedule.latency_cycles
        share = latency / (plan.sequences * strategy.data)
        cost = self._costs.exact(strategy, latency, share, lambda: schedule.program)
        if self.best_cost is None or cost < self.best_cost:
            self.best, self.best_cost = schedule, cost
        stage_cycles = schedule.timeline.stage_cycles
        interval = schedule.program.interval_cycles or max(stage_cycles)
        self.compiled.append(
            Evaluated(strategy, plan.sequences, cost, latency, interval, stage_cycles)
        )
        return plan, timed, cost
