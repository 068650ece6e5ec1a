import subprocess
import sys
from pathlib import Path

import fabric

# The face of the package offers both engines, so it is left out here.
LOADED = """
import importlib, sys, types
face = types.ModuleType("fabric")
face.__path__ = sys.argv[1:]
sys.modules["fabric"] = face
importlib.import_module("fabric.replay")
heavy = {"simpy", "fabric.simulation", "networkx", "scipy.optimize"}
print(sorted({"fabric.replay", *heavy} & set(sys.modules)))
"""


def test_the_replay_engine_loads_neither_event_loop_nor_graph_library() -> None:
    folder = Path(str(fabric.__file__)).parent
    done = subprocess.run(
        [sys.executable, "-c", LOADED, folder],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder.parent,
    )
    assert done.stdout == "['fabric.replay']\n"


def test_only_engines_with_an_event_loop_import_simpy() -> None:
    folder = Path(str(fabric.__file__)).parent
    importers = {
        path.relative_to(folder).parts[0]
        for path in folder.rglob("*.py")
        if any(
            line.startswith(("import simpy", "from simpy"))
            for line in path.read_text().splitlines()
        )
    }
    assert importers == {"simulation.py", "simpy_engine", "reactive"}
