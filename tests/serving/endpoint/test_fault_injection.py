from pathlib import Path

import pytest

from serving.endpoint.fault_injection import (
    FaultInjector,
    injected_refusal,
    parse_faults,
    read_fault_script,
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
    first, again = ([each.next_fault() for _ in range(5000)] for each in drawn)
    assert first == again
    # Three standard deviations of the binomial are 85 and 64.
    assert abs(first.count("rate_limit") - 1000) < 85
    assert abs(first.count("disconnect") - 500) < 64


def test_a_script_names_requests_and_leaves_the_others_as_they_are(
    tmp_path: Path,
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        '[[fault]]\nrequest = 3\ncount = 2\nkind = "capacity"\n'
        '[[fault]]\nrequest = 1\nkind = "disconnect"\n'
    )
    script = read_fault_script(path)
    assert script == {1: "disconnect", 3: "capacity", 4: "capacity"}
    rates = {"rate_limit": 0.5}
    plain, scripted = FaultInjector(rates, 1), FaultInjector(rates, 1, script)
    drawn = [plain.next_fault() for _ in range(50)]
    assert [scripted.next_fault() for _ in range(50)] == [
        script.get(number, fault) for number, fault in enumerate(drawn, start=1)
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "fault"),
        ('[[fault]]\nrequest = 0\nkind = "capacity"', "request = 0"),
        ('[[fault]]\nrequest = 1\nkind = "fire"', "kind = 'fire'"),
        ('[[fault]]\nrequest = 1\nkind = "capacity"\n' * 2, "request 1 has two faults"),
    ],
)
def test_a_script_that_cannot_be_is_told(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=told):
        read_fault_script(path)


def test_an_answer_is_cut_before_its_end() -> None:
    injector = FaultInjector({}, seed=1)
    assert injector.next_fault() is None
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
