from chip.deskew import half_epoch_cycles


def test_the_longest_deskew_interval_at_the_limits_of_two_crystals() -> None:
    # Half of 252, less one count of error and two of rounding, at 100 ppm.
    assert half_epoch_cycles(252, 1, 100) == 1_230_000


def test_crystals_that_agree_never_need_a_deskew() -> None:
    assert half_epoch_cycles(252, 1, 0) > 10**18


def test_a_counter_worse_than_half_an_epoch_cannot_be_deskewed() -> None:
    assert half_epoch_cycles(252, 130, 50) == 0
