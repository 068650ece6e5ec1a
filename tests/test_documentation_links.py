"""Links of README.md, CONTRIBUTING.md and docs/ lead to files and headings."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
NAMED_FILE = re.compile(r"`((?:\w+/)+\w+\.(?:py|toml|md|json))`")
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")}


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(
        r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made of their text."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).strip() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def wrong_references(page: Path) -> list[str]:
    """Return the links and files of a page that are not there."""
    text, wrong = prose(page), []
    for place, anchor in LINK.findall(re.sub(r"`[^`]*`", "", text)):
        if "://" in place:
            continue
        target = page.parent / place if place else page
        known = target.suffix != ".md" or not anchor or anchor in anchors(target)
        if not target.exists() or not known:
            wrong.append(f"{place}#{anchor}")
    wrong += [
        name
        for name in NAMED_FILE.findall(text)
        if name.split("/")[0] in PACKAGES
        and "NAME" not in name
        and not (ROOT / name).exists()
    ]
    return wrong


@pytest.mark.parametrize(
    "page",
    [*PAGES, ROOT / "CONTRIBUTING.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_link_and_file_that_a_page_names_is_there(page: Path) -> None:
    assert wrong_references(page) == []


def test_a_wrong_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One thing\n[a](#one-thing) [b](#other) [c](gone.md) `fabric/gone.py`\n",
        "utf-8",
    )
    assert wrong_references(page) == ["#other", "gone.md#", "fabric/gone.py"]
