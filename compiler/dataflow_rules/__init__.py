"""Rules by which a program computes its operator graph, independent of its compiler.

Each check returns the number of cases it was applied to, or raises VerificationError
with the first counter-example. They read what the program states about its
instructions (`chip.dataflow`), the operator graph (`workloads`) and the plan's table of
weights.

statements: Statements, beside
regions: Edges, Rows, RegionTable, MatrixParts, either, weight_of
functions: OTHER_RULES, check_functions
product_functions: PRODUCT_RULES, check_sums, experts_of
sum_functions: SUM_RULES, terms_of_sums
attention_functions: ATTENTION_RULES, head_sizes
coverage: HeldRegions, check_coverage, overlapping
instructions: check_instructions, check_passes, check_edges, InstructionWorks,
    instruction_works, of_instructions, read_again, summed_in_passing
work: check_work
operation_amounts: OperationAmounts
value_sizes: ValueSizes, attended_positions, looked_up_elements
transfers: arrived_columns, check_trains, check_payloads
residency: check_cache_order, check_residency, check_mirrors, tokens_at_start
weights: names of a plan's weights in checkpoints, and their bytes
linear: what heads make without a cache, and the states that they keep
claims: check_heads, check_results, check_claims, check_marks
head: HEAD_RULES
experts: what a schedule must have room for
collectives: the rules of a collective alone
"""
