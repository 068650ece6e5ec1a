import numpy as np
import pytest

from fabric.functional_engine.caches import CachedColumns, KeyValueCaches
from specs.errors import VerificationError


def extended(
    caches: KeyValueCaches,
    first: int,
    count: int,
    *,
    share: tuple[int, int] = (0, 1),
    window: int | None = None,
) -> CachedColumns:
    """Extend a cache by positions whose only number is the position."""
    new = np.arange(first, first + count, dtype=float).reshape(1, count, 1)
    return caches.extend(
        3,
        "key_cache",
        new,
        columns=(0, 1),
        first_position=first,
        share=share,
        window=window,
    )


def test_a_cache_grows_by_the_new_positions() -> None:
    caches = KeyValueCaches()
    extended(caches, 0, 3)
    grown = extended(caches, 3, 1)
    assert grown.positions.tolist() == grown.array[0, :, 0].tolist() == [0, 1, 2, 3]


def test_chips_share_a_context_position_by_position() -> None:
    caches = KeyValueCaches()
    extended(caches, 0, 4, share=(1, 3))
    assert extended(caches, 4, 1, share=(1, 3)).positions.tolist() == [1, 4]
    assert extended(caches, 5, 1, share=(1, 3)).positions.tolist() == [1, 4]


def test_a_window_forgets_what_no_later_position_attends_to() -> None:
    caches = KeyValueCaches()
    assert extended(caches, 0, 4, window=2).positions.tolist() == [0, 1, 2, 3]
    assert extended(caches, 4, 1, window=2).positions.tolist() == [3, 4]


def test_positions_that_were_never_computed_are_missed() -> None:
    caches = KeyValueCaches()
    extended(caches, 0, 2)
    with pytest.raises(
        VerificationError, match="chip 3 attends to 3 earlier positions"
    ):
        extended(caches, 3, 1)


def latents(caches: KeyValueCaches, first: int, *numbers: float) -> CachedColumns:
    new = np.array(numbers).reshape(1, -1, 1)
    return caches.latents(3, "latent_cache", new, first_position=first)


def test_operators_of_a_pass_read_the_same_latents() -> None:
    caches = KeyValueCaches()
    latents(caches, 0, 1.0, 2.0)
    for _ in range(2):
        grown = latents(caches, 2, 3.0)
        assert grown.array[0, :, 0].tolist() == [1, 2, 3]


def test_latents_that_differ_from_those_in_the_cache_are_refused() -> None:
    caches = KeyValueCaches()
    latents(caches, 0, 1.0, 2.0)
    with pytest.raises(VerificationError, match="differ from those"):
        latents(caches, 1, 7.0)
    with pytest.raises(VerificationError, match="attends to 3 earlier positions"):
        latents(caches, 3, 7.0)
