"""HTML report: one file that shows one run, or two side by side.

It reads the folder that a run has left, and nothing else. The folder `page` has the
style and the script of the file.

run_folder: read_run_folder, RunFolder
column_packing: packed
simulation_view, service_view: simulation_view, service_view
key_figures: key_figures, KeyFigure
comparison: differences, largest_movers, operator_changes, differing_inputs, flat
html_tables: html_table, difference_table, exact
html_page: report_page, html_safe_json
"""
