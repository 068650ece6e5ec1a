import re
from pathlib import Path

from experiments.script.costs import costs
from experiments.script.listing import experiment_names, listing

PAGE = Path(__file__).parents[3] / "docs" / "experiments.md"
# A row: name, question, cost of --quick, cost in full, tables.
ROW = re.compile(r"^\| `(\w+)` \| .*? \| (\d+) \| (.*?) \| .*\|$", re.MULTILINE)


def test_every_experiment_has_a_cost() -> None:
    assert sorted(costs()) == experiment_names()


def test_the_page_of_experiments_has_the_same_costs() -> None:
    page = {name: (quick, full) for name, quick, full in ROW.findall(PAGE.read_text())}
    said = {name: (str(cost.quick_s), cost.full) for name, cost in costs().items()}
    assert page == said


def test_the_list_says_what_an_experiment_costs() -> None:
    lines = listing("groqrack experiment ").splitlines()
    place = lines.index("groqrack experiment allreduce")
    assert lines[place + 2].strip() == str(costs()["allreduce"])
