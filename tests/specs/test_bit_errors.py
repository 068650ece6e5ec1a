import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.bit_errors import BitErrorSpec
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


def test_the_bits_in_bursts_follow_from_their_share_of_the_errors() -> None:
    # Half of the wrong bits, 0.05 of all, lie in bursts with one wrong bit in two.
    bursts = BitErrorSpec(
        ber=0.1, errors="bursts", burst_bits=4, burst_ber=0.5, burst_share=0.5
    )
    assert bursts.burst_fraction == pytest.approx(0.1)


def test_independent_errors_need_no_room_for_bursts() -> None:
    none = BitErrorSpec(
        ber=0.4, errors="independent", burst_bits=1, burst_ber=0.1, burst_share=1
    )
    assert none.ber == 0.4
