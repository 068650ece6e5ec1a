"""Replay engine: times of whole iterations as arrays, without an event loop.

fifo_occupancy: Occupancy, Timed
step_times: Offsets
vector_times: VectorTally, VectorTimes, tally_vectors, vector_times
"""
