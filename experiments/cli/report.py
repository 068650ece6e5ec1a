"""Command ``groqrack report``."""

from pathlib import Path
from typing import Annotated

import typer


def report_command(
    run: Annotated[
        Path,
        typer.Argument(help="Folder that simulate or traffic wrote with --out."),
    ],
    other: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN2]", help="A second one, to compare with."),
    ] = None,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path(
        "report.html"
    ),
) -> None:
    """Show a run, or two beside each other, as one HTML file."""
    from experiments.html_report.html_page import report_page
    from experiments.html_report.run_folder import read_run_folder
    from experiments.tables.atomic_write import check_writable, write_bytes

    folders = [read_run_folder(folder) for folder in (run, other) if folder is not None]
    content = report_page(folders).encode()
    check_writable(out.parent)
    write_bytes(out, content)
    print(f"report in {out}: {len(content) / 1e6:,.2f} MB, opens in any browser")
