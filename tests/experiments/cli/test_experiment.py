import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import experiments
from experiments.script.listing import experiment_names

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


def test_an_experiment_runs_where_a_folder_has_the_name_of_the_package(
    tmp_path: Path,
) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "__init__.py").touch()
    # As the installed command: the folder it runs in is not searched for modules.
    start = "from experiments.cli.app import main; main()"
    name = "link_characterisation"
    done = subprocess.run(
        [sys.executable, "-P", "-c", start, "experiment", name, "--quick"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(experiments.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / f"{name}.csv").is_file()


def test_without_a_name_all_are_listed(groqrack: Groqrack) -> None:
    done = groqrack("experiment")
    for name in experiment_names():
        assert f"groqrack experiment {name}\n" in done.stdout


def test_an_unknown_experiment_is_refused_with_the_nearest(groqrack: Groqrack) -> None:
    done = groqrack("experiment", "hopcounts")
    assert done.returncode == 2
    assert "did you mean 'hop_counts'?" in done.stderr
