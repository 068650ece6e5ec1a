from pathlib import Path

import pytest

from specs.decode_work import decode_work
from specs.devices import load_device
from specs.errors import SpecError
from specs.model import load_model
from specs.pairing import (
    PairingLinkSpec,
    PairingSpec,
    load_pairing,
    pairing_names,
    pairing_table,
)
from specs.units import PS_PER_US

LINK = {"ports": 4, "port_gbps": 100, "latency_ns": 7}


def test_ports_carry_a_payload_together() -> None:
    link = PairingLinkSpec.model_validate(LINK)
    # Four times 12.5 GB/s.
    assert link.gb_per_s == 50
    assert link.occupied_ps(1000) == 20_000
    assert link.latency_ps == 7_000


def test_a_link_without_a_rate_takes_no_time() -> None:
    link = PairingLinkSpec(ports=1, port_gbps=None, latency_ns=0)
    assert link.gb_per_s is None
    assert link.occupied_ps(10**12) == 0


def test_devices_take_what_bounds_them_and_something_for_each_layer() -> None:
    pairing = PairingSpec.model_validate(
        {
            "link": LINK,
            "devices": 2,
            "attained_memory": 0.5,
            "attained_compute": 0.25,
            "layer_us": 3,
        }
    )
    # An H100 reads 3.35 TB in a second; two of them at half of that in one, too.
    read_ps = pairing.device_ps(flop=0, read_bytes=3.35e12, layers=10)
    assert read_ps == pytest.approx(PS_PER_US * (1e6 + 30))
    compute_ps = pairing.device_ps(flop=989e12, read_bytes=0, layers=0)
    assert compute_ps == pytest.approx(PS_PER_US * 2e6)
    narrow_ps = pairing.device_ps(flop=1979e12, read_bytes=0, layers=0, fp8=True)
    assert narrow_ps == pytest.approx(PS_PER_US * 2e6)


@pytest.mark.parametrize("name", pairing_names())
def test_shipped_pairings_are_of_known_devices(name: str) -> None:
    pairing = load_pairing(name)
    assert pairing.peaks == load_device(pairing.device)


def test_attained_shares_are_those_of_the_step_law() -> None:
    pairing, device = load_pairing("groqrack-h100"), load_device("h100")
    law, model = device.step_law, load_model("llama-2-70b")
    assert law is not None
    one = decode_work(model, context=1, batch=1)
    read_us = device.bound_s(flop=0, read_bytes=one.read_bytes, devices=8) * 1e6
    assert read_us / law.step_us == pytest.approx(pairing.attained_memory, abs=0.01)
    many = decode_work(model, context=1000, batch=1, positions=1000)
    compute_us = device.bound_s(flop=many.flop, read_bytes=0, devices=8) * 1e6
    attained = compute_us / (law.position_us * 1000)
    assert attained == pytest.approx(pairing.attained_compute, abs=0.02)


def test_a_table_may_begin_like_a_shipped_pairing() -> None:
    shipped = load_pairing("groqrack-h100").model_dump()
    given = {"like": "groqrack-h100", "devices": 3, "link": {"latency_ns": 7}}
    link = {**shipped["link"], "latency_ns": 7}
    assert pairing_table(given) == {**shipped, "devices": 3, "link": link}
    assert pairing_table("groqrack-h100") == shipped
    assert pairing_table({"devices": 3}) == {"devices": 3}


def test_a_pairing_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no pairing 'lpx' is shipped; did you mean"):
        load_pairing("lpx")
    path = tmp_path / "mine.toml"
    path.write_text('device = "h10"\n[link]\nports = 1\nport_gbps = 1\nlatency_ns = 0')
    with pytest.raises(SpecError, match="no device 'h10' is shipped"):
        load_pairing(str(path))
    path.write_text("lanes = 0\n[link]\nports = 1\nport_gbps = 1\nlatency_ns = 0")
    with pytest.raises(SpecError, match="lanes = 0"):
        load_pairing(str(path))
    path.write_text(
        "drafted_tokens = 0\n[link]\nports = 1\nport_gbps = 1\nlatency_ns = 0"
    )
    with pytest.raises(SpecError, match="drafted_tokens must be > 0 if the machine"):
        load_pairing(str(path))
