import pytest

from serving.endpoint.clock import InstantClock, WallClock
from serving.endpoint.settings import EndpointSettings, make_clock
from specs.errors import SpecError


def test_each_clock_has_its_name() -> None:
    instant = EndpointSettings(clock="instant")
    scaled = EndpointSettings(clock="scaled", time_scale=10)
    assert isinstance(make_clock(instant), InstantClock)
    assert isinstance(make_clock(scaled), WallClock)
    assert isinstance(make_clock(EndpointSettings()), WallClock)


@pytest.mark.parametrize(("clock", "scale"), [("wall", 10), ("scaled", 1)])
def test_a_scale_belongs_to_the_scaled_clock(clock: str, scale: float) -> None:
    settings = EndpointSettings.model_validate({"clock": clock, "time_scale": scale})
    with pytest.raises(SpecError, match="--clock scaled --time-scale 10"):
        make_clock(settings)
