"""Rules of experts: what a static schedule must have room for, read from the model.

amounts: expert_slots, choosing_reductions
functions: EXPERT_RULES
"""
