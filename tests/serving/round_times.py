"""A pipeline of round numbers for the tests of serving: 1 GHz, so a cycle is 1 ns."""

from typing import Any

import numpy as np

from serving.frame import Frame, Policy
from serving.service_times import ServiceTimes
from specs.host_link import HostSpec

HOST = HostSpec(load_gb_per_s=1, request_latency_ns=10)


def round_times(**changes: Any) -> ServiceTimes:
    """Return two slots of 100 cycles; windows of 50 whose token takes 300."""
    given: dict[str, Any] = {
        "clock_hz": 10**9,
        "host": HOST,
        "slots": 2,
        "chunk_tokens": 8,
        "turn_tokens": 1,
        "context_tokens": [100],
        "slot_cycles": [100],
        "period_cycles": [200],
        "token_cycles": [150],
        "window_cycles": [50],
        "pass_cycles": [300],
        "token_lag_cycles": [0],
        "pass_lag_cycles": [0],
        "paced_windows": [0],
        "paced_pass_cycles": [300],
        "change_cycles": 4,
        "kv_bytes_per_token": 1000,
        "decode_certificates": ("d",),
        "chunk_certificates": ("c",),
        **changes,
    }
    for name, value in given.items():
        if isinstance(value, list):
            given[name] = np.array(value, dtype=np.int64)
    return ServiceTimes(**given)


def round_frame(**changes: Any) -> Frame:
    """Return two windows before the two slots: a frame of 300 cycles."""
    given: dict[str, Any] = {
        "slots": 2,
        "windows": 2,
        "chunk_tokens": 8,
        "context_tokens": 100,
        "policy": Policy.WINDOWS,
        **changes,
    }
    return Frame(**given)
