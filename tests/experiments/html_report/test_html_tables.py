from experiments.html_report.comparison import Difference
from experiments.html_report.html_tables import difference_table, exact, html_table


def test_words_of_a_table_are_no_markup() -> None:
    table = html_table("t", ["<a>"], [["<b>&"]])
    assert "&lt;a&gt;" in table
    assert "&lt;b&gt;&amp;" in table
    assert "<b>" not in table


def test_a_difference_shows_both_numbers_and_its_sign() -> None:
    rows = [Difference("x<y", 2000, 1500.5), Difference("z", 1, 3)]
    table = difference_table("d", rows)
    assert "x&lt;y" in table
    assert '<td class="down">\N{MINUS SIGN}499.500</td>' in table
    assert '<td class="up">+2</td>' in table
    assert "<td>+66.7%</td>" in table


def test_a_value_is_shown_as_json_has_it() -> None:
    assert [exact(each) for each in (None, True, 0.1, "x")] == [
        "null",
        "true",
        "0.1",
        "x",
    ]
