import pytest

from serving.endpoint.rate_limits import RateLimits, parse_limits
from serving.fleet.limits import Limits
from serving.wire.errors import WireError
from specs.errors import SpecError


def limits(**sizes: int) -> RateLimits:
    return RateLimits(Limits(**sizes))


def test_limits_are_read_from_a_text() -> None:
    assert parse_limits("rpm=30, tpm=6_000") == Limits(rpm=30, tpm=6000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rpm", "--limits rpm: write a number above 0, as in rpm=6000"),
        ("rpm=many", "--limits rpm=many: write a number above 0"),
        ("rpx=3", "--limits rpx=3: no such limit; did you mean 'rpm'"),
        ("tpm=0", "--limits tpm=0: write a number above 0"),
    ],
)
def test_limits_that_cannot_be_are_told(text: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        parse_limits(text)


def test_a_refusal_tells_the_wait_of_the_recorded_one() -> None:
    held = limits(tpm=6000)
    held.take("us", "m", "on_demand", 0, 5034, now_s=100.0)
    with pytest.raises(WireError, match=r"Used 5034, Requested 1443\.") as raised:
        held.take("us", "m", "on_demand", 0, 1443, now_s=100.0)
    assert "Please try again in 4.77s." in raised.value.message
    assert raised.value.status == 429
    # After that time it is accepted, and a moment before it is not.
    with pytest.raises(WireError, match="Please try again in 10ms"):
        held.take("us", "m", "on_demand", 0, 1443, now_s=104.76)
    held.take("us", "m", "on_demand", 0, 1443, now_s=104.77)


def test_a_request_over_a_limit_by_itself_is_refused_for_good() -> None:
    with pytest.raises(WireError, match="Limit 6000, Requested 9265") as raised:
        limits(tpm=6000).take("us", "m", "on_demand", 0, 9265, now_s=0)
    assert raised.value.status == 413


def test_a_refused_request_counts_to_no_limit() -> None:
    held = limits(tpm=100, rpd=10)
    held.take("us", "m", "on_demand", 0, 90, now_s=0)
    with pytest.raises(WireError, match="tokens per minute"):
        held.take("us", "m", "on_demand", 0, 20, now_s=0)
    assert held.state("us", "m", 0).remaining_requests == 9


def test_requests_a_minute_are_counted_beside_tokens() -> None:
    held = limits(rpm=2)
    for _ in range(2):
        held.take("us", "m", "on_demand", 0, 1, now_s=0)
    with pytest.raises(WireError, match=r"requests per minute \(RPM\): Limit 2"):
        held.take("us", "m", "on_demand", 0, 1, now_s=0)


@pytest.mark.parametrize(
    ("name", "told"),
    [("itpm", r"input tokens per minute \(ITPM\)"), ("otpm", r"output .*\(OTPM\)")],
)
def test_prompts_and_answers_have_limits_of_their_own(name: str, told: str) -> None:
    own, other = (60, 10) if name == "itpm" else (10, 60)
    held = limits(**{name: 100})
    held.take("us", "m", "on_demand", own, other, now_s=0)
    with pytest.raises(WireError, match=f"{told}: Limit 100, Used 60, Requested 60"):
        held.take("us", "m", "on_demand", own, other, now_s=0)
    held.give_back("us", "m", own, other)
    held.take("us", "m", "on_demand", own, other, now_s=0)
    # What the limit does not count, it does not mind.
    held.take("us", "m", "on_demand", 0, 0, now_s=0)
    held.take(
        "us", "m", "on_demand", *((0, 10**6) if own > other else (10**6, 0)), now_s=0
    )


def test_every_key_and_model_has_limits_of_its_own() -> None:
    held = limits(rpm=1)
    for who, model in (("us", "m"), ("them", "m"), ("us", "n")):
        held.take(who, model, "on_demand", 0, 1, now_s=0)
    assert held.state("us", "m", 0).tokens == 10**9


def test_tokens_that_were_not_made_are_given_back() -> None:
    held = limits(tpm=100)
    held.take("us", "m", "on_demand", 0, 90, now_s=0)
    held.give_back("us", "m", 0, 60)
    state = held.state("us", "m", 0)
    assert (state.tokens, state.remaining_tokens) == (100, 70)
    assert state.reset_tokens_s == pytest.approx(18)
