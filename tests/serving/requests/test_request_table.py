import numpy as np
import pytest

from serving.requests.request_table import request_table
from specs.errors import SpecError


def test_a_request_takes_a_turn_for_each_token_but_the_first() -> None:
    table = request_table(np.array([0, 5]), np.array([3, 4]), np.array([1, 7]))
    assert table.turns.tolist() == [0, 6]
    assert table.size == 2
    assert table.tenant.tolist() == [0, 0]


def test_requests_out_of_order_or_without_tokens_are_refused() -> None:
    one = np.array([1, 1])
    with pytest.raises(SpecError, match="request 1 arrives before"):
        request_table(np.array([5, 0]), one, one)
    with pytest.raises(SpecError, match="request 1 has 1 prompt and 0 output tokens"):
        request_table(one, one, np.array([1, 0]))
