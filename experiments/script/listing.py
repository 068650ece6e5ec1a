"""List of the experiment scripts, each with its question and cost."""

import ast
from pathlib import Path

from experiments.script.costs import costs

_SCRIPTS = Path(__file__).parents[1]


def experiment_names() -> list[str]:
    """Return the sorted names of the experiment scripts."""
    return sorted(
        path.stem
        for path in _SCRIPTS.glob("*.py")
        if "run_script(" in path.read_text() and path.stem != "__main__"
    )


def listing(command: str) -> str:
    """Return the command, the question and the cost of each experiment.

    Parameters
    ----------
    command
        What is written before the name of an experiment.
    """
    lines = []
    known = costs()
    for name in experiment_names():
        source = (_SCRIPTS / f"{name}.py").read_text()
        question = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
        lines += [f"{command}{name}", f"    {question}"]
        if name in known:
            lines.append(f"    {known[name]}")
    lines.append("Costs are seconds of processor time.")
    return "\n".join(lines)
