"""Calibration: what this program says of served requests beside what was measured.

measured: Measured, Metric, METRICS, LATENCIES, STATISTICS, Document, number,
    record_latencies, shared
vllm_results: traffic_results, vllm_results
aiperf_results: aiperf_results
guidellm_results: guidellm_results
result_file: read_measured
comparison: compare, comparison_document, Compared, Comparison
comparison_report: comparison_report
"""
