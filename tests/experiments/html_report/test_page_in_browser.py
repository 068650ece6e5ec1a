import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.html_report.html_page import report_page
from experiments.html_report.run_folder import RunFolder, read_run_folder

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium to open a report in"),
]
OFFLINE = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIMULATED = ("cycles", "timeline", "fabric", "slack", "sram", "tokens")
SERVED = ("latencies", "queue", "slots")


class Opened:
    """Pages in a browser, and what went wrong in them."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self._browser, self._folder = browser, folder
        self.wrong: list[str] = []

    def page(self, content: str, *, theme: str = "light", width: int = 1200) -> Any:
        path = self._folder / "report.html"
        path.write_text(content, encoding="utf-8")
        page = self._browser.new_page(
            viewport={"width": width, "height": 800}, color_scheme=theme
        )
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        page.on("request", lambda request: self._asked(request.url))
        page.goto(path.as_uri())
        return page

    def _asked(self, url: str) -> None:
        if not url.startswith("file:"):
            self.wrong.append(url)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=OFFLINE)
        yield Opened(browser, tmp_path_factory.mktemp("pages"))
        browser.close()


def test_every_picture_is_drawn_in_both_themes_and_has_a_table(
    opened: Opened, simulated: RunFolder, served: RunFolder
) -> None:
    for folder, sections in ((simulated, SIMULATED), (served, SERVED)):
        content = report_page([folder])
        for theme, width in (("light", 1200), ("dark", 420)):
            page = opened.page(content, theme=theme, width=width)
            assert page.evaluate("document.documentElement.dataset.theme") == theme
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            for name in sections:
                section = page.locator(f"#{name}")
                assert section.locator("figure svg, figure canvas").count() > 0, name
                summary = section.locator("details > summary").first
                summary.click()
                section.locator("details[open] tbody tr").first.wait_for(timeout=5000)
            page.close()
    assert opened.wrong == []


def test_a_chip_is_chosen_by_keys_and_by_a_click(
    opened: Opened, simulated: RunFolder
) -> None:
    page = opened.page(report_page([simulated]))
    page.locator("#fabric").get_by_label("least slack").check(force=True)
    chips = page.locator("#fabric canvas[role=application]")
    chips.focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.locator("#fabric h3").inner_text() == "chip 1"
    assert (
        "chip 1, rack 0, node 0, slot 1" in page.locator("#fabric .said").inner_text()
    )
    chips.click(position={"x": 8, "y": 24})
    assert page.locator("#fabric h3").inner_text() == "chip 0"
    strip = page.locator("#timeline canvas[role=application]")
    strip.focus()
    for key in ("Home", "+", "n"):
        page.keyboard.press(key)
    assert "stage" in page.locator("#timeline .said").inner_text()
    assert opened.wrong == []
    page.close()


def test_hostile_names_run_nothing_in_two_runs_side_by_side(
    opened: Opened, simulated: RunFolder, hostile_folder: Path
) -> None:
    page = opened.page(report_page([simulated, read_run_folder(hostile_folder)]))
    assert page.locator("img").count() == 0
    assert page.locator("#cycles .panel h3").nth(1).inner_text().startswith("B")
    page.locator("#theme").click()
    assert page.locator("#cycles figure svg").count() == 4
    assert opened.wrong == []
    page.close()
