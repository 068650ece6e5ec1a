"""Page of a report: one HTML file that needs no network and no other file.

Numbers are text of the page; pictures are drawn by its script from the JSON in it. The
page forbids itself every connection, and every script and style but its own.
"""

import base64
import hashlib
import json
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from experiments.html_report.comparison import (
    differences,
    differing_inputs,
    flat,
    largest_movers,
    operator_changes,
)
from experiments.html_report.html_tables import difference_table, exact, html_table
from experiments.html_report.key_figures import KeyFigure, key_figures
from experiments.html_report.run_folder import SIMULATION, RunFolder
from experiments.html_report.service_view import service_view
from experiments.html_report.simulation_view import simulation_view
from specs.errors import SpecError

_SCRIPTS = (
    "elements",
    "scales",
    "tables",
    "strip",
    "fabric_map",
    "charts",
    "timeline",
    "memory",
    "simulation",
    "service",
    "start",
)
# Sections with pictures, by their identity in the page: title, and what they show.
_SIMULATION_SECTIONS = {
    "cycles": (
        "Where the cycles went",
        "The parts of a token's latency, and the operators that it waits for. A cycle "
        "in which chips compute and exchange at once counts as computation.",
    ),
    "timeline": (
        "Token timeline",
        "The token goes from stage to stage. Its critical path is a computation where "
        "there is one, else an exchange, else a wait.",
    ),
    "fabric": (
        "Fabric map",
        "A block for each rack, a line for each node, a cell for each chip.",
    ),
    "slack": (
        "Slack",
        "How long before its receive the latest vector of a link came.",
    ),
    "sram": ("SRAM", "What fills the chips, and how activations come and go."),
    "tokens": ("Tokens", "The latency of every token as measured, by cause."),
}
_SERVICE_SECTIONS = {
    "latencies": (
        "Latencies",
        "How long users waited for the first token, each further one, and the last.",
    ),
    "queue": ("Queue", "Requests that have come and whose first pass has not begun."),
    "slots": ("Slots", "The prompt and the decoding of each request in its slot."),
}
_RUNS = "AB"
# A key figure of more letters is set smaller.
_LONG_TEXT = 15


def report_page(folders: list[RunFolder]) -> str:
    """Return the HTML page of one run, or of two beside each other.

    Raises
    ------
    SpecError
        If one of two is a simulation and the other served requests, or a summary
        lacks a number.
    """
    kinds = {folder.kind for folder in folders}
    if len(kinds) > 1:
        words = " and ".join(f"{each.name} is a {each.kind}" for each in folders)
        raise SpecError(f"{words}; compare two of one kind")
    simulated = kinds == {SIMULATION}
    view = simulation_view if simulated else service_view
    sections = _SIMULATION_SECTIONS if simulated else _SERVICE_SECTIONS
    try:
        runs = [{"name": each.name, "view": view(each)} for each in folders]
        figures = [key_figures(folder) for folder in folders]
        heading = " against ".join(dict.fromkeys(map(_title, folders)))
    except (KeyError, TypeError, AttributeError) as error:
        given = " or ".join(each.name for each in folders)
        raise SpecError(
            f"summary.json of {given} lacks what a report shows ({error}); run it again"
        ) from None
    names = ["summary", *(["changes"] if len(folders) > 1 else []), *sections]
    links = "".join(
        f'<a href="#{name}">{escape(_short_title(name, sections))}</a>'
        for name in [*names, "numbers"]
    )
    body = [_summary(folders, figures)]
    if len(folders) > 1:
        body.append(_changes(folders))
    for name, (title, lead) in sections.items():
        body.append(
            f'<section id="{name}"><h2>{escape(title)}</h2>'
            f'<p class="lead">{escape(lead)}</p><div class="pictures"></div></section>'
        )
    body.append(_numbers(folders))
    script, style = _script(), _asset("report.css")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src "
        f"'{_digest(style)}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(heading)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#summary">to the summary</a>\n'
        f"<header><h1>{escape(heading)}</h1><p>{_origin(folders)}</p></header>\n"
        f'<div class="bar"><div><nav aria-label="sections">{links}</nav>'
        '<button id="theme" type="button">dark</button></div></div>\n'
        f"<main>\n{chr(10).join(body)}\n</main>\n"
        "<footer>Made by groqrack report from the files of the run alone. Everything "
        "is in this file; it opens no connection.</footer>\n"
        '<script type="application/json" id="data">'
        f"{html_safe_json(runs)}</script>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def html_safe_json(value: Any) -> str:
    r"""Return a value of a report as JSON that can stand inside an HTML script.

    >>> html_safe_json("</script>&")
    '"\\u003c/script\\u003e\\u0026"'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def _asset(name: str) -> str:
    """Return a file of the page that belongs to the package."""
    path = files("experiments.html_report") / "page" / name
    return path.read_text(encoding="utf-8")


@cache
def _script() -> str:
    """Return the script of the page: its files in one scope."""
    parts = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _digest(text: str) -> str:
    """Return the hash by which the page allows its script or style."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _short_title(name: str, sections: dict[str, tuple[str, str]]) -> str:
    """Return what the navigation of the page calls a section."""
    others = {
        "summary": "Summary",
        "changes": "What changed",
        "numbers": "All numbers",
        "cycles": "Cycles",
    }
    return others.get(name) or sections[name][0]


def _title(folder: RunFolder) -> str:
    """Return what a run's page is about."""
    summary = folder.summary
    if folder.kind == SIMULATION:
        subject = summary.get("model") or summary["workload"]
        plan = summary["plan"]
        return f"{subject['name']} on {plan['chips_used']:,} chips, {plan['strategy']}"
    asked = summary["inputs"]
    return (
        f"{asked['model']} on {summary['chips']:,} chips, {asked['strategy']}, served"
    )


def _origin(folders: list[RunFolder]) -> str:
    """Return the line of the page that says where its numbers come from."""
    parts = []
    for letter, folder in zip(_RUNS, folders, strict=False):
        mark = f'<span class="run">{letter}</span>' if len(folders) > 1 else ""
        run = folder.summary.get("run", {})
        version = f", groqrack-fabric {run['version']}" if "version" in run else ""
        parts.append(f"{mark}folder {escape(folder.name)}{escape(version)}")
    return " &nbsp; ".join(parts)


def _summary(folders: list[RunFolder], figures: list[list[KeyFigure]]) -> str:
    """Return the section of the page with key figures."""
    panels = []
    for letter, folder, own in zip(_RUNS, folders, figures, strict=False):
        head = _run_head(letter, folder) if len(folders) > 1 else ""
        tiles = "".join(map(_tile, own))
        panels.append(f'<div class="panel">{head}<dl class="tiles">{tiles}</dl></div>')
    two = " two" if len(folders) > 1 else ""
    return (
        f'<section id="summary"><h2>Summary</h2><div class="panels{two}">'
        f"{''.join(panels)}</div></section>"
    )


def _run_head(letter: str, folder: RunFolder) -> str:
    """Return the head of a run's part of the page."""
    return f'<h3><span class="run">{letter}</span>{escape(folder.name)}</h3>'


def _tile(figure: KeyFigure) -> str:
    """Return a key figure as HTML."""
    bad = " bad" if figure.bad else ""
    long = " long" if len(figure.text) > _LONG_TEXT else ""
    return (
        f'<div class="tile{bad}" data-key="{escape(figure.key)}" '
        f'data-value="{escape(exact(figure.value))}"><dt>{escape(figure.label)}</dt>'
        f'<dd class="value{long}">{escape(figure.text)}</dd>'
        f'<dd class="note">{escape(figure.note)}</dd></div>'
    )


def _changes(folders: list[RunFolder]) -> str:
    """Return the section of the page that compares two runs."""
    first, second = (folder.summary for folder in folders)
    asked = differing_inputs(first, second)
    rows = differences(first, second)
    movers = largest_movers(rows)
    inputs = (
        html_table(
            "asked",
            ["input", "A", "B"],
            [[key, exact(a), exact(b)] for key, a, b in asked],
        )
        if asked
        else '<p class="lead">Both were asked the same.</p>'
    )
    none = '<p class="lead">No number differs.</p>'
    largest = difference_table("movers", movers) if movers else none
    if folders[0].kind == SIMULATION:
        before, after = (folder.tables["timeline"] for folder in folders)
        moved = operator_changes(before, after)
        inputs += (
            '<h3 class="next">Operators whose cycles changed most</h3>'
            f"{difference_table('operators', moved) if moved else none}"
        )
    everything = (
        f"<details><summary>all {len(rows):,} numbers that differ</summary>"
        f'<div class="scroll">{difference_table("differences", rows)}</div></details>'
        if rows
        else ""
    )
    return (
        '<section id="changes"><h2>What changed from A to B</h2><p class="lead">'
        "Signed changes are B \N{MINUS SIGN} A. A mover's share is its change in "
        'relation to the larger of both.</p><div class="panels two"><div class="panel">'
        f'<h3>Asked differently</h3><div class="wide" tabindex="0">{inputs}</div></div>'
        '<div class="panel">'
        f'<h3>The ten largest movers</h3><div class="wide" tabindex="0">{largest}</div>'
        f"{everything}</div></div></section>"
    )


def _numbers(folders: list[RunFolder]) -> str:
    """Return the section of the page with every number of the summaries."""
    summaries = [flat(folder.summary) for folder in folders]
    keys = list(dict.fromkeys(key for each in summaries for key in each))
    heads = list(_RUNS[: len(folders)]) if len(folders) > 1 else ["value"]
    rows = [[key, *(exact(each.get(key)) for each in summaries)] for key in keys]
    table = html_table("values", ["key", *heads], rows)
    return (
        '<section id="numbers"><h2>All numbers</h2><p class="lead">summary.json, key '
        "by key, as it was written.</p><div class=panel><details><summary>"
        f'{len(keys):,} keys</summary><div class="scroll">{table}</div></details>'
        "</div></section>"
    )
