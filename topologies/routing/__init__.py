"""Hop counts, minimal paths, parallel paths and spanning trees over a topology.

breadth_first: UNREACHABLE, hop_counts, step_histogram
static_routes: Routes, chip_pairs
minimal_paths: NO_LINK, LinksOfPairs, MinimalPaths, minimal_paths
parallel_links: LanedPaths, Lanes
spanning_tree: SpanningTree, alignment_tree, spanning_tree
"""
