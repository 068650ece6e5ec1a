import pytest

from serving.endpoint.fault_injection import (
    FaultInjector,
    injected_refusal,
    parse_faults,
)
from specs.errors import SpecError


def test_faults_are_read_from_texts() -> None:
    rates = parse_faults(["rate_limit=0.05,capacity=0.1", "disconnect=1e-3"])
    assert rates == {"rate_limit": 0.05, "capacity": 0.1, "disconnect": 0.001}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rate_limits=0.05", "did you mean 'rate_limit'"),
        ("rate_limit", "write a probability from 0 to 1, as in rate_limit=0.05"),
        ("rate_limit=5", "write a probability"),
        ("rate_limit=nan", "write a probability"),
        ("rate_limit=0.6,capacity=0.6", "the probabilities sum to 1.2"),
    ],
)
def test_faults_that_cannot_be_are_told(text: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        parse_faults([text])


def test_faults_come_as_often_as_asked_and_the_same_again() -> None:
    rates = {"rate_limit": 0.2, "disconnect": 0.1}
    drawn = [FaultInjector(rates, seed=1) for _ in range(2)]
    first, again = ([each.draw() for _ in range(5000)] for each in drawn)
    assert first == again
    # Three standard deviations of the binomial are 85 and 64.
    assert abs(first.count("rate_limit") - 1000) < 85
    assert abs(first.count("disconnect") - 500) < 64


def test_an_answer_is_cut_before_its_end() -> None:
    injector = FaultInjector({}, seed=1)
    assert injector.draw() is None
    assert {injector.cut_after(3) for _ in range(50)} == {0, 1, 2}


@pytest.mark.parametrize(
    ("fault", "status"),
    [("rate_limit", 429), ("capacity", 498), ("overload", 503), ("server_error", 500)],
)
def test_an_injected_refusal_is_that_of_the_wire(fault: str, status: int) -> None:
    error = injected_refusal(fault, "m", "on_demand")
    assert error is not None
    assert error.status == status
    assert ("retry-after" in error.headers) == (status == 429)


def test_a_cut_answer_is_not_refused() -> None:
    assert injected_refusal("disconnect", "m", "on_demand") is None
