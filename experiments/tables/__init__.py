"""Tables that a run leaves, their columns, and how files are written.

run_tables: TABLES, tokens_table, links_table, chips_table, failovers_table
token_columns: token_columns
scenario_rows: scenario_row, best_strategy_row, latency_columns
failover_costs: FaultCase, failover_costs, tokens_by_cause
plan_tables: plan_table, stages_table, schedule_table
sram: sram_table
timeline: timeline_table
columns: COLUMNS, PROMPT_COLUMNS, FRONT_COLUMNS, TableRow, markdown
terminal_table: terminal_table, for experiment scripts
text_tables: named_table, swept_table, titled, wrapped_name
status_line: StatusLine, WorkStatus, progress_shown, status, span
atomic_write: write_bytes, check_writable, csv_bytes, zipped
"""
