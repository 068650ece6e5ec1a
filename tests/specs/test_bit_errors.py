import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import SpecError
from specs.machine import load_machine


@given(
    ber=st.floats(0, 0.49),
    bits=st.floats(1, 50),
    inside=st.floats(0.01, 1),
    share=st.floats(0, 1),
)
def test_bursts_are_accepted_exactly_where_there_is_room_for_them(
    ber: float, bits: float, inside: float, share: float
) -> None:
    settings = {
        "link.errors": "bursts",
        "link.ber": ber,
        "link.burst_bits": bits,
        "link.burst_ber": inside,
        "link.burst_share": share,
    }
    # A burst of `bits` is followed by one good bit or more.
    room = ber < inside and share * ber / inside <= bits / (bits + 1)
    if room:
        link = load_machine().with_settings(settings).link
        assert link.burst_fraction * inside == pytest.approx(share * ber)
    else:
        with pytest.raises(SpecError, match="lower ber"):
            load_machine().with_settings(settings)


def test_the_way_out_of_too_many_bursts_is_one() -> None:
    settings = {"link.errors": "bursts", "link.burst_bits": 2, "link.burst_share": 0.9}
    with pytest.raises(SpecError, match=r"lower ber below 0\.37037,") as refused:
        load_machine().with_settings({**settings, "link.ber": 0.45})
    assert "81% of all bits" in str(refused.value)
    load_machine().with_settings({**settings, "link.ber": 0.37})
