"""The data dictionary: each column of each table has a row in the page."""

from experiments.tables.columns import COLUMNS, FRONT_COLUMNS, markdown


def test_each_table_has_a_heading_and_each_column_a_row() -> None:
    lines = markdown().splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    assert len(headings) == len(COLUMNS) + 1
    assert "## schedule.csv.gz" in headings
    for columns in (*COLUMNS.values(), FRONT_COLUMNS):
        for name, text in columns.items():
            assert f"| `{name}` | {text} |" in lines


def test_a_column_that_only_a_prompt_adds_is_described_with_its_table() -> None:
    page = markdown()
    tokens, links = page.index("## tokens.csv"), page.index("## links.csv")
    assert tokens < page.index("`bucket_tokens`") < links
