"""List of the experiment scripts, each with its question."""

import ast
from pathlib import Path


def experiment_names() -> list[str]:
    """Return the sorted names of the experiment scripts."""
    return sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if "run_script(" in path.read_text() and path.stem != "__main__"
    )


def main() -> None:
    """Print the command and the question of each experiment."""
    for name in experiment_names():
        source = (Path(__file__).parent / f"{name}.py").read_text()
        question = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
        print(f"python -m experiments.{name}\n    {question}")


if __name__ == "__main__":
    main()
