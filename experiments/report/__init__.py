"""Reports of a run: its summary, tables for people, files and JSON keys.

run_summary: summarise, summary
run_report: run_report, print_report
run_files: write_run
topology_report: topology_facts, topology_report, write_topology
records: RunSummary and the records that it is made of
subjects: inputs_block, model_facts, machine_facts, plan_facts
wiring_text: wiring_text, parallel_links
model_sizes: ModelSizes, model_sizes, sizes_table; models before they are planned
reference_keys, traffic_keys, energy_keys: parts of it
json_keys: meaning of every JSON key
"""
