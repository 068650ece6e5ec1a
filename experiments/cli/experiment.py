"""Command ``groqrack experiment``: the experiment scripts by name, or their list."""

import runpy
import sys
from typing import Annotated

import typer

# Everything behind the name belongs to the script.
SCRIPT_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}


def experiment_command(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="Experiment; its own options come after it."),
    ] = None,
) -> None:
    """Run an experiment script, or list all with their questions and costs.

    It is the same as python -m experiments.NAME, but for a folder of your own that is
    called experiments, which Python would take instead.
    """
    from experiments.script.listing import experiment_names, listing
    from specs.errors import SpecError, nearest

    if name is None:
        print(listing("groqrack experiment "))
        return
    names = experiment_names()
    if name not in names:
        raise SpecError(
            f"there is no experiment {name!r}; {nearest(name, names)} "
            "(groqrack experiment lists them all)"
        )
    sys.argv = [f"groqrack experiment {name}", *context.args]
    runpy.run_module(f"experiments.{name}", run_name="__main__")
