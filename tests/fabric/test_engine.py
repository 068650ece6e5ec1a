from fabric.engine import engine_named
from fabric.replay import replay
from fabric.simulation import simulate


def test_each_engine_has_its_name() -> None:
    assert engine_named("simpy") is simulate
    assert engine_named("replay") is replay
