"""Cost of tokens at a load: money and energy, from prices that name their sources.

load: Load, traffic_load, frame_load, pipeline_load
cost_of_load: Cost, Shared, cost_of, purchase_usd
equal_servers: equal_power_servers, equal_price_servers, server_step_law,
    server_tdp_w
costing: Loads, Costing, traffic_loads, pipeline_loads, costing, cost_document
cost_report: cost_report
cost_request: CostRequest, read_request
cost_sweep: cost_points, cost_row, sweep_table
"""
