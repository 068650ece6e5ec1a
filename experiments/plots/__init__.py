"""Figures: of one run, of a topology, and of experiments whose figure is long.

run_figure: STYLE, run_figure, picture_bytes
topology_drawing: topology_figure, chip_places
slack_map: slack_figure, draw_slack, slack_cells
determinism_tax: determinism_tax_figure, PARTS, CODES
drift: drift_figure
failover: failover_figure
sharding_sweep: sharding_sweep_figure
topology_comparison: topology_comparison_figure
published_figures: RatioRow, published_figures_figure
"""
