"""Trace of a token for a timeline viewer, and its two file formats.

trace: Trace, TrackGroup, Track, Bar, Arrow, Sample, token_trace
tracks: BusyInterval, interval_counts, busy_intervals, on_lanes, line_name
window: Window, window_of, check_window
chrome_json: chrome_json
perfetto: perfetto_bytes
"""
