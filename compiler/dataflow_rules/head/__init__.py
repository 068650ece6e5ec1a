"""Rules of the head: the token that is sampled, of all logits, each looked at once.

functions: HEAD_RULES
"""
