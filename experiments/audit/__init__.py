"""Audit of claims: what public documents claim, and what the model says of each.

measure: Measure, Case
machine_measures, decoding_measures, traffic_measures, price_measures: measurements
measures: MEASURES, all measurements by name
claim: Claim, Claims, load_claims, outcome_of
audit: audit_table, fingerprint
claims_page: claims_page
"""
