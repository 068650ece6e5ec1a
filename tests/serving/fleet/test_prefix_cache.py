from serving.fleet.fleet import CacheSizes
from serving.fleet.prefix_cache import PrefixCache


def test_a_block_can_be_used_once_its_prompt_has_been_computed() -> None:
    cache = PrefixCache(CacheSizes(4, 100, 0, 1000))
    assert cache.look_up(0, (1, 2), 0) == (0, 0)
    assert cache.look_up(1, (1, 2), 9) == (0, 0)
    cache.computed(0, (1, 2), 10)
    assert cache.look_up(2, (1, 2, 3), 10) == (8, 0)
    assert cache.look_up(3, (7, 1), 11) == (0, 0)


def test_a_request_says_nothing_of_blocks_that_another_brings() -> None:
    cache = PrefixCache(CacheSizes(4, 100, 0, 1000))
    cache.look_up(0, (1,), 0)
    cache.computed(1, (1,), 5)
    assert cache.look_up(2, (1,), 6) == (0, 0)


def test_blocks_that_sram_has_no_room_for_come_back_from_the_hosts() -> None:
    cache = PrefixCache(CacheSizes(4, 4, 4, 1000))
    cache.look_up(0, (1,), 0)
    cache.computed(0, (1,), 1)
    cache.look_up(1, (2,), 2)
    assert cache.look_up(2, (1,), 3) == (4, 4)
    # It is in SRAM again, and block 2 on the hosts; a third one drops it.
    cache.look_up(3, (3,), 4)
    cache.computed(1, (2,), 5)
    assert cache.look_up(4, (2,), 6) == (0, 0)


def test_a_block_that_is_not_used_expires() -> None:
    cache = PrefixCache(CacheSizes(4, 100, 0, 50))
    cache.look_up(0, (1,), 0)
    cache.computed(0, (1,), 1)
    assert cache.look_up(1, (1,), 50) == (4, 0)
    assert cache.look_up(2, (1,), 101) == (0, 0)


def test_what_a_request_was_to_bring_can_be_withdrawn() -> None:
    cache = PrefixCache(CacheSizes(4, 100, 100, 1000))
    cache.look_up(1, [7, 8], 0)
    cache.withdraw(1, [7, 8])
    # The next one brings it, which a block of a request that never computes it would
    # not let it do.
    assert cache.look_up(2, [7, 8], 1) == (0, 0)
    cache.computed(2, [7, 8], 5)
    assert cache.look_up(3, [7, 8], 6).tokens == 8
    cache.withdraw(1, [7, 8])
    assert cache.look_up(4, [7, 8], 7).tokens == 8
