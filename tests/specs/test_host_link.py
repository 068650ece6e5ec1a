from hypothesis import given
from hypothesis import strategies as st

from specs.host_link import HostSpec

# 2 GB/s are 2 bytes per ns.
HOST = HostSpec(load_gb_per_s=2, request_latency_ns=100)


def test_a_request_takes_its_latency_and_the_transfer() -> None:
    assert HOST.load_ps(6) == 3_000
    assert HOST.request_ps(6) == 103_000


def test_a_request_takes_ten_microseconds_by_default() -> None:
    assert HostSpec(load_gb_per_s=1).request_ps(0) == 10_000_000


@given(st.integers(0, 10**12))
def test_a_transfer_is_rounded_up_to_picoseconds(payload_bytes: int) -> None:
    host = HostSpec(load_gb_per_s=1024)
    assert 0 <= host.load_ps(payload_bytes) * 1024 - payload_bytes * 1000 < 1024
