import simpy

from serving.events.moments import ARRIVE, START, Moment
from serving.events.passes import Passes


def test_a_stop_makes_passes_under_way_end_later() -> None:
    env = simpy.Environment()
    passes, ended = Passes(env), []
    passes.begin(100, lambda: ended.append(("long", env.now)))
    passes.begin(30, lambda: ended.append(("short", env.now)))
    env.run(until=50)
    assert passes.under_way == 1
    passes.stop(1000)
    env.run(passes.next_end())
    assert ended == [("short", 30), ("long", 1100)]
    assert type(env.now) is int


def test_in_a_cycle_what_ends_comes_before_arrivals_and_these_before_starts() -> None:
    env = simpy.Environment()
    order: list[str] = []
    for name, event in (
        ("start", Moment(env, 5, START)),
        ("arrive", Moment(env, 5, ARRIVE)),
        ("end", env.timeout(5)),
    ):
        assert event.callbacks is not None
        event.callbacks.append(lambda _, name=name: order.append(name))  # type: ignore[misc]
    env.run()
    assert order == ["end", "arrive", "start"]
