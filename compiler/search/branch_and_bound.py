"""Branch and bound: the best strategy for a machine, exact unless cut short.

Every strategy starts with a bound of a few additions. The most promising one is
evaluated more closely, step by step: its exchanges are placed, its stages cut, its
critical path bounded, its token timed to the cycle, and at last it is compiled. A
strategy whose bound does not beat the best compiled one is dropped, until none is left.
"""

from collections.abc import Collection

from compiler.search.best_first_search import BestFirstSearch
from compiler.search.objective import Objective
from compiler.search.search_result import SearchResult
from compiler.search.search_space import machine_shape
from compiler.search.strategy_evaluator import StrategyEvaluator, shared_evaluator
from sharding.weights.task import Task
from topologies.topology import Topology

# After so many strategies evaluated to the cycle the search ends with a gap.
MOST_COMPILED = 40


def best_strategy(
    task: Task,
    topology: Topology,
    *,
    objective: Objective,
    sequences: int,
    most_compiled: int = MOST_COMPILED,
    widths: Collection[int] | None = None,
) -> SearchResult:
    """Search all splits and pipelines on a machine's chips for the best strategy.

    Parameters
    ----------
    task
        Model, machine, context and batch; its tensor width does not matter.
    topology
        The topology, whose active chips are used from the first on.
    objective
        What is sought.
    sequences
        Sequences in flight; for throughput and energy as many as fit and pay. Replicas
        are tried for throughput only: each takes the latency, the chips and the energy
        of one.
    most_compiled
        Strategies to evaluate to the cycle at most.
    widths
        Tensor widths to evaluate, those of `search_space.widths` if None.

    Raises
    ------
    RackError
        If no strategy fits, or none that fits has a schedule.
    """
    # Where sequences fill pipelines, other splits of a layer cost much the same, and
    # telling all of them apart would take minutes.
    plain = (
        objective.fills and topology.active_chips > machine_shape(topology).few_chips
    )
    if plain or widths is not None:
        evaluator = StrategyEvaluator(task, topology, widths, plain=plain)
    else:
        evaluator = shared_evaluator(task, topology)
    return BestFirstSearch(task, evaluator, objective, sequences).run(most_compiled)
