"""What commands print on."""

from rich.console import Console


def plain_console() -> Console:
    """Return standard output for tables, without colours that rich would guess."""
    return Console(highlight=False)
