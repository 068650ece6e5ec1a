"""The rows of an iteration on which graphs of families are built."""

import pytest

from workloads.operators import TokenRows


@pytest.fixture(scope="session")
def rows() -> TokenRows:
    """Return two sequences of five positions, of which the last is computed."""
    return TokenRows(batch=2, context=5, query_tokens=1, answer_tokens=1)
