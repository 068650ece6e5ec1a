import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from experiments.html_report.comparison import MOST_MOVERS, flat
from experiments.html_report.html_page import html_safe_json, report_page
from experiments.html_report.html_tables import exact
from experiments.html_report.run_folder import RunFolder, read_run_folder
from specs.errors import SpecError


class Reader(HTMLParser):
    """What is in a page: its elements, the cells of its tables, and its data."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, list[list[str]]] = {}
        self.data = ""
        self._table = self._script = ""
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "table":
            self._table = given.get("id") or ""
        if tag == "tr":
            self.rows.setdefault(self._table, []).append([])
        if tag == "td":
            self.rows[self._table][-1].append("")
        self._cell = tag == "td"
        self._script = (given.get("id") or "") if tag == "script" else ""

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[self._table][-1][-1] += data
        if self._script == "data":
            self.data += data
            self._script = ""


def test_the_numbers_of_the_page_are_those_of_the_summary(
    simulated: RunFolder, served: RunFolder
) -> None:
    for folder in (simulated, served):
        reader = Reader(report_page([folder]))
        values = {key: exact(value) for key, value in flat(folder.summary).items()}
        shown = {row[0]: row[1] for row in reader.rows["values"] if row}
        assert shown == values
        tiles = [given for _, given in reader.tags if "data-key" in given]
        assert len(tiles) >= 8
        for tile in tiles:
            assert tile["data-value"] == values[str(tile["data-key"])]


def test_the_data_of_the_page_are_those_of_the_tables(simulated: RunFolder) -> None:
    (run,) = json.loads(Reader(report_page([simulated])).data)
    column = run["view"]["tokens"]["columns"]["latency_ps"]
    values = column.get("values") or [column["words"][code] for code in column["codes"]]
    assert values == simulated.tables["tokens"]["latency_ps"].tolist()


def test_the_page_asks_for_nothing_from_elsewhere(simulated: RunFolder) -> None:
    page = report_page([simulated])
    reader = Reader(page)
    assert not [given for _, given in reader.tags if {"src", "srcset"} & given.keys()]
    links = [given["href"] for tag, given in reader.tags if tag == "a"]
    assert all(str(link).startswith("#") for link in links)
    assert "link" not in {tag for tag, _ in reader.tags}
    addresses = set(re.findall(r"https?://[^\s\"']+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in page.replace("&#x27;", "'")


def test_hostile_names_stay_words(simulated: RunFolder, hostile_folder: Path) -> None:
    hostile = read_run_folder(hostile_folder)
    plain, page = report_page([simulated]), report_page([hostile])
    count = [tag for tag, _ in Reader(page).tags]
    assert count == [tag for tag, _ in Reader(plain).tags]
    assert page.count("</script>") == plain.count("</script>") == 2
    (run,) = json.loads(Reader(page).data)
    assert run["name"] == hostile_folder.name


def test_two_runs_show_what_was_asked_and_what_moved(
    simulated: RunFolder, hostile_folder: Path
) -> None:
    reader = Reader(report_page([simulated, read_run_folder(hostile_folder)]))
    assert reader.rows["asked"][1][0] == "model"
    guard = simulated.summary["schedule"]["guard_cycles"]
    (mover,) = reader.rows["movers"][1:]
    # Every operator has another name in the second.
    assert len(reader.rows["operators"]) == 1 + MOST_MOVERS
    assert mover[:4] == ["schedule.guard_cycles", str(guard), str(guard + 10), "+10"]


def test_the_same_runs_give_the_same_page(simulated: RunFolder) -> None:
    assert report_page([simulated, simulated]) == report_page([simulated, simulated])


def test_a_simulation_and_served_requests_are_not_compared(
    simulated: RunFolder, served: RunFolder
) -> None:
    message = "out is a simulation and traffic is a service; compare two of one kind"
    with pytest.raises(SpecError, match=message):
        report_page([simulated, served])


def test_a_summary_that_lacks_a_number_is_refused(simulated: RunFolder) -> None:
    summary: dict[str, Any] = {**simulated.summary}
    del summary["plan"]
    with pytest.raises(SpecError, match=r"lacks what a report shows \('plan'\)"):
        report_page([replace(simulated, summary=summary)])


def test_data_cannot_end_the_script_that_holds_it() -> None:
    assert "<" not in html_safe_json({"</script>": ["<!--", "&"]})
    assert json.loads(html_safe_json("</script>")) == "</script>"
