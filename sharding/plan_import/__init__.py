"""Import of an edited plan: its strategy and stages, or the row that is wrong.

import_plan: edited_plan
stage_members: check_chips, stage_members, is_grid
infer_strategy: inferred_strategy
check_completeness: check_completeness
check_shares: check_shares, check_edited_memory
"""
