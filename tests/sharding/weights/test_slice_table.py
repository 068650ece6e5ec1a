from sharding.weights.slice_table import COLUMNS, SliceTable

ROWS = [
    (4, 0, 0, -1, "embedding", 8, 6, 0, 8, 0, 6, 48),
    (4, 0, 0, 0, "query", 6, 6, 0, 3, 0, 6, 18),
    (5, 0, 0, 0, "query", 6, 6, 3, 6, 0, 6, 18),
]


def test_a_table_of_slices_holds_the_place_of_each_tensor_among_the_names() -> None:
    table = SliceTable.of_rows(ROWS)
    assert table.names == ("embedding", "query")
    assert table.columns["tensor"].tolist() == [0, 1, 1]
    assert table.columns["chip"].tolist() == [4, 4, 5]


def test_users_see_the_names_of_tensors() -> None:
    frame = SliceTable.of_rows(ROWS).frame()
    assert tuple(frame.columns) == COLUMNS
    assert list(frame.itertuples(index=False, name=None)) == ROWS
