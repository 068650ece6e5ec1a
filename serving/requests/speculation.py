"""Speculative turns: decode turns that verify drafted tokens and keep some of them."""

import numpy as np

from specs.arrays import Ints


def drawn_turns(
    decode_tokens: Ints,
    *,
    drafted_tokens: int,
    acceptance: float,
    random: np.random.Generator,
) -> Ints:
    """Return the decode turns that each request needs, shape ``(requests,)``.

    A turn verifies K drafted tokens and gives those up to the first that is refused,
    and one of the model's own. Each is accepted independently (Leviathan et al. 2023,
    arXiv:2211.17192).

    Parameters
    ----------
    decode_tokens
        Tokens of each request after the first.
    drafted_tokens
        Drafted tokens K of each turn; 0 for a token a turn.
    acceptance
        Probability that a drafted token is accepted.
    random
        Source of chance.
    """
    if not drafted_tokens:
        return decode_tokens
    left, turns = decode_tokens.copy(), np.zeros_like(decode_tokens)
    while (open_ := left > 0).any():
        accepted = random.random((int(open_.sum()), drafted_tokens)) < acceptance
        left[open_] -= 1 + np.cumprod(accepted, axis=1).sum(axis=1)
        turns[open_] += 1
    return turns
