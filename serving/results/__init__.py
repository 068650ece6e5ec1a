"""Results: what became of requests, by the names and measures of the field.

served: Served
slo: Slo, parse_slo, meets
records: request_records
summary: traffic_summary, token_gaps_ms, most_at_once, slot_cycles, load
"""
