from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.cost.load import traffic_load
from experiments.service.fleet_of import fleet_of
from experiments.service.paired_traffic import serve_paired
from experiments.service.traffic_run import TrafficRun, run_traffic
from serving.frame import Policy
from serving.traffic_file import TrafficFile, traffic_file
from specs.errors import SpecError
from specs.pairing import PairingSpec
from tests.experiments.service.test_traffic_run import CONTENT, compiled

PAIRED = {"like": "groqrack-h100", "kind": "prefill"}


def file_of(**changes: Any) -> TrafficFile:
    return traffic_file({**CONTENT, "pairing": PAIRED, **changes}, "test")


def run(**changes: Any) -> TrafficRun:
    file, made = file_of(**changes), compiled()
    assert file.frame is not None
    fleet = fleet_of(file, file.frame, made.prepared.plan, made.fleet.times)
    return run_traffic(file, prepared=made._replace(fleet=fleet))


def test_prompts_on_devices_leave_the_frame_to_those_who_decode() -> None:
    paired, alone = run(), run(pairing={**PAIRED, "kind": "none"})
    assert paired.prepared.fleet.frame.policy is Policy.APART
    times = paired.prepared.fleet.times
    assert paired.frame_times.frame_cycles == times.period_cycles[-1]
    assert paired.frame_times.frame_cycles < alone.frame_times.frame_cycles
    assert alone.pairing["kind"] == "none"
    assert paired.pairing["kind"] == "prefill"
    # Each request's first token is there before its cache, and that before its turn.
    served = paired.served
    assert (served.ready_cycle <= served.admitted_cycle).all()
    assert (served.admitted_cycle < served.chosen_cycle).all()
    turning = paired.traffic.requests.turns > 0
    assert (served.chosen_cycle < served.second_cycle)[turning].all()
    assert paired.pairing["sent_bytes"] == paired.pairing["received_bytes"] > 0
    assert 0 < paired.pairing["devices_utilisation"] < 1


def test_a_slower_link_delays_second_tokens_and_no_first_one() -> None:
    near, far = run(), run(pairing={**PAIRED, "link": {"latency_ns": 10**6}})
    assert np.array_equal(near.served.chosen_cycle, far.served.chosen_cycle)
    turning = near.traffic.requests.turns > 0
    later = (far.served.second_cycle - near.served.second_cycle)[turning]
    assert later.min() > 0


def test_jitter_of_devices_never_reaches_the_chips() -> None:
    paired = run(pairing={**PAIRED, "jitter": 0.5})
    turns = paired.traffic.requests.turns
    lasting = (paired.served.end_cycle - paired.served.second_cycle)[turns > 0]
    frame = paired.frame_times.frame_cycles
    assert np.array_equal(lasting, (turns[turns > 0] - 1) * frame)


def test_devices_must_hold_the_weights() -> None:
    made = compiled()
    small = PairingSpec.model_validate(
        {"link": {"ports": 1, "port_gbps": 1, "latency_ns": 0}, "device": "h100"}
    )
    tiny = small.model_copy(update={"devices": 0})
    requests = run().traffic.requests
    with pytest.raises(SpecError, match="0 h100 hold 0 GB; name more devices"):
        serve_paired(made, requests, tiny, 1)


def test_what_a_pairing_has_no_timetable_or_price_for_is_refused() -> None:
    for kind in ("attention", "draft"):
        with pytest.raises(SpecError, match=f"pairing.kind = {kind}: its steps wait"):
            file_of(pairing={**PAIRED, "kind": kind})
    with pytest.raises(SpecError, match="leave out limits, replicas"):
        file_of(replicas=2, limits={"rpm": 1})
    with pytest.raises(SpecError, match="did you mean 'groqrack-h100'"):
        file_of(pairing="groqrack-h10")
    with pytest.raises(SpecError, match="--engine simpy has no devices"):
        run_traffic(file_of(), engine="simpy", prepared=compiled())
    with pytest.raises(SpecError, match="neither their price nor their power"):
        traffic_load(run())
    one = replace(run(), pairing=run(pairing={**PAIRED, "kind": "none"}).pairing)
    assert traffic_load(one).input_share is None
