"""Search for the best sharding strategy of a machine, and for the Pareto front.

objective: Cost, Objective, cost_of
search_space: MachineShape, machine_shape, splits, strategies_on, widths
strategy_evaluator: StrategyEvaluator, shared_evaluator
exact_evaluator: ExactEvaluator
frontier: FrontierEntry, SearchStep, bounded_entry, initial_entries
best_first_search: BestFirstSearch
branch_and_bound: best_strategy
search_result: Evaluated, SearchResult, nothing_fits
ranking: Ranked, Ranking, plan_of, ranking
dominance: Merits, ParetoPoint, non_dominated
pareto_front: ParetoFront, pareto_front
neighbourhood: Neighbour, neighbourhood
sensitivity: Sensitivity, sensitivities
placement_search: PlacedSchedule, best_placed, fastest_placed, on_chips
graph_search: best_schedule
"""
