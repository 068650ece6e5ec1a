import asyncio
import time

import pytest

from serving.endpoint.clock import Clock, InstantClock, WallClock

PS_PER_S = 10**12


def test_the_instant_clock_wakes_in_the_order_of_due_times() -> None:
    clock = InstantClock()
    woken: list[tuple[int, int]] = []

    async def wait(*dues_ps: int) -> None:
        for due_ps in dues_ps:
            await clock.wait_until(due_ps)
            woken.append((due_ps, clock.now_ps()))

    async def both() -> None:
        await asyncio.gather(wait(10, 30, 50), wait(20, 40), wait(5, 5))

    asyncio.run(both())
    assert [due for due, _ in woken] == [5, 5, 10, 20, 30, 40, 50]
    assert all(due == now for due, now in woken)


def test_the_instant_clock_takes_no_time_and_jumps_forward_only() -> None:
    clock = InstantClock()
    began = time.monotonic()
    asyncio.run(clock.wait_until(1000 * PS_PER_S))
    assert time.monotonic() - began < 5
    clock.jump(7)
    assert clock.now_ps() == 1000 * PS_PER_S
    clock.jump(1001 * PS_PER_S)
    assert clock.now_ps() == 1001 * PS_PER_S
    # A client that measures does not see the jump.
    assert clock.stopwatch_ps() == 1000 * PS_PER_S


def test_seconds_that_a_client_sleeps_pass_for_limits_too() -> None:
    clock = InstantClock()
    before = clock.limits_s()
    clock.skip(60)
    assert clock.now_ps() == 60 * PS_PER_S
    assert 60 <= clock.limits_s() - before < 65


def test_the_instant_clock_never_goes_back() -> None:
    clock = InstantClock()

    async def wait() -> None:
        waiting = asyncio.create_task(clock.wait_until(10))
        await asyncio.sleep(0)
        clock.skip(1)
        await waiting

    asyncio.run(wait())
    assert clock.now_ps() == PS_PER_S


def test_a_scaled_clock_is_slower_by_its_factor() -> None:
    clock = WallClock(10)
    before_s = time.monotonic()
    asyncio.run(clock.wait_until(PS_PER_S // 500))
    # 2 simulated ms are 20 ms on the wall.
    assert time.monotonic() - before_s > 0.019
    assert clock.now_ps() >= PS_PER_S // 500
    assert abs(clock.limits_s() - time.monotonic()) < 1


@pytest.mark.parametrize("make", [InstantClock, WallClock])
def test_an_event_ends_a_wait_before_it_is_due(make: type[Clock]) -> None:
    clock = make()

    async def wait() -> None:
        event = asyncio.Event()
        event.set()
        await clock.wait_until_or(10**6 * PS_PER_S, event)

    asyncio.run(asyncio.wait_for(wait(), 5))
    assert clock.now_ps() < 10**6 * PS_PER_S


def test_a_due_time_ends_a_wait_without_its_event() -> None:
    clock = InstantClock()

    async def wait() -> None:
        await clock.wait_until_or(5, asyncio.Event())

    asyncio.run(asyncio.wait_for(wait(), 5))
    assert clock.now_ps() == 5
