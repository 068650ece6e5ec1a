"""Reports of a plan before it runs: its table, its explanation, and its Pareto front.

plan_summary: plan_summary, search_block
plan_table: plan_report, certainty, found_text, write_plan
explanation: Explanation, StageLoss, NextBest, explained, explanation_block
explanation_text: explanation_report
ranking_text: ranking_report, worse_by
bottlenecks: Limit, limits
pareto: plan_front, front_table, front_block, front_report, write_front
"""
