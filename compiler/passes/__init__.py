"""Planned passes: what one pass through the stages of a plan consists of.

planned_pass: PlannedPass, PassStage, PassBlock, PassSteps, walk_pass
model_pass: model_pass, token_return, block_scope, block_ways; a token, a chunk, or the
    pass of an encoder
graph_pass: graph_pass; an iteration of any other graph
pass_of: AnyPlan, pass_of
train_count: check_trains, least_block_messages, least_trains
"""
