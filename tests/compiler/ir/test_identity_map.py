from compiler.ir.identity_map import IdentityMap


def test_a_value_is_computed_once_for_each_object() -> None:
    computed: list[list[int]] = []

    def total(row: list[int]) -> int:
        computed.append(row)
        return sum(row)

    totals: IdentityMap[list[int], int] = IdentityMap()
    row, equal = [1, 2], [1, 2]
    assert [totals.of(row, total), totals.of(row, total), totals.of(equal, total)] == [
        3,
        3,
        3,
    ]
    # Equal objects are different keys.
    assert len(computed) == len(totals) == 2


def test_no_new_object_takes_the_place_of_a_key_that_was_dropped() -> None:
    lengths: IdentityMap[list[int], int] = IdentityMap()
    for number in range(100):
        assert lengths.of([0] * number, len) == number
    assert len(lengths) == 100
