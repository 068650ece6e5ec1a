"""Placement of a plan: the chips that each stage and each member of a group takes.

default_placement: placed_chips
locality_placement: nearby, nearby_chips
group_clustering: compact_groups, improved_by_swaps, hop_weights
stage_order: nearest_order, order_cost
partner_assignment: MemberPaths, partners
transfer_assignment: TransferAssignment, assigned_members
placement_problem: PlacementProblem
mirror_nodes: check_mirror_nodes
"""
