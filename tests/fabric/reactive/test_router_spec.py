import numpy as np
import pytest

from fabric.reactive.router_spec import ReactiveSpec
from specs.errors import SpecError
from specs.machine import load_machine

ROUND = {
    "vector_ps": 10,
    "send_ps": 100,
    "pass_ps": 50,
    "receive_ps": 30,
    "buffer_vectors": 4,
}


def test_a_packet_passes_a_router_between_two_links() -> None:
    spec = ReactiveSpec(**ROUND)
    links_ps = np.array([1000, 2000, 3000])
    times = [spec.unloaded_ps(links_ps[:hops]) for hops in range(4)]
    # To its own chip it passes one router where others pass two.
    assert times == [130 - 50, 130 + 1000, 130 + 50 + 3000, 130 + 100 + 6000]


def test_a_router_has_the_times_and_the_fifo_of_its_machine() -> None:
    machine = load_machine()
    spec = ReactiveSpec.of_machine(machine)
    assert spec.buffer_vectors == machine.link.fifo_vectors
    assert spec.send_ps == machine.cycles_to_ps(machine.chip.send_cycles)
    assert ReactiveSpec.of_machine(machine, buffer_vectors=3).buffer_vectors == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"buffer_vectors": 0}, r"buffer_vectors 0 must be 1 or more"),
        ({"virtual_channels": 0}, r"virtual_channels 0 must be 1 or more"),
        ({"pass_ps": -1}, r"pass_ps -1 must not be negative"),
        ({"pass_ps": 131}, r"pass_ps 131 is above send_ps \+ receive_ps, 130"),
    ],
)
def test_a_router_without_sense_is_refused(
    changed: dict[str, int], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        ReactiveSpec(**(ROUND | changed))
