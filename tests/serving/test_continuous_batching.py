import numpy as np
import pytest

from serving.continuous_batching import serve_batched
from serving.requests.request_table import RequestTable, request_table
from specs.devices import load_device
from specs.step_law import StepLaw

# A step takes 100 us, 10 for each sequence, and 1 for each position of a prompt.
LAW = StepLaw(
    step_us=100,
    sequence_us=10,
    position_us=1,
    most_sequences=2,
    step_positions=50,
    jitter=0,
)
US = 10**6


def table(*rows: tuple[int, int, int]) -> RequestTable:
    return request_table(*(np.array(column) for column in zip(*rows, strict=True)))


def test_a_prompt_longer_than_a_step_takes_several() -> None:
    batched = serve_batched(table((0, 80, 3)), LAW)
    # Steps of 50 and 30 positions, then two with a sequence.
    assert batched.first_token_ps.tolist() == [(150 + 130) * US]
    assert batched.end_ps.tolist() == [(280 + 110 + 110) * US]


def test_a_prompt_makes_others_wait_for_their_token() -> None:
    batched = serve_batched(table((0, 10, 3), (200 * US, 50, 1)), LAW)
    # The second prompt joins the step that begins at 220.
    assert batched.end_ps.tolist() == [(110 + 110 + 160) * US] * 2


def test_more_sequences_than_there_is_room_for_wait() -> None:
    batched = serve_batched(table(*[(0, 10, 2)] * 3), LAW)
    assert batched.first_token_ps.tolist() == [
        120 * US,
        120 * US,
        (120 + 120 + 110) * US,
    ]
    both = serve_batched(table(*[(0, 10, 2)] * 3), LAW, servers=3)
    assert both.first_token_ps.tolist() == [110 * US] * 3


def test_the_law_of_the_h100_fits_the_estimator_it_is_from() -> None:
    law = load_device("h100").step_law
    assert law is not None
    assert law.devices == 8
    for sequences, published_ms in ((1, 6.69), (8, 7.21), (32, 9.42), (64, 11.48)):
        ours_ms = law.mean_us(sequences, 0) / 1e3
        assert ours_ms == pytest.approx(published_ms, rel=0.05)
    first_ms = law.mean_us(0, 1000) / 1e3
    # The fit of a prompt is 18 % below: c is from longer ones.
    assert first_ms == pytest.approx(43.8, rel=0.2)


def test_jitter_is_drawn_from_the_seed() -> None:
    asked = table((0, 10, 50))
    law = LAW.model_copy(update={"jitter": 0.1})
    one, same, other = (serve_batched(asked, law, seed=seed) for seed in (1, 1, 2))
    assert one.end_ps == same.end_ps
    assert one.end_ps != other.end_ps
