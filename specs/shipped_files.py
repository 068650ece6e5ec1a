"""Shipped data files: the names of models, machines and workloads, and their paths."""

from importlib import resources
from pathlib import Path


def shipped_path(*parts: str) -> Path:
    """Return the path of a file that ships with the specs.

    >>> shipped_path("machines", "groqrack.toml").name
    'groqrack.toml'
    """
    return Path(str(resources.files("specs").joinpath(*parts)))


def shipped_names(folder: str, suffix: str) -> tuple[str, ...]:
    """Return the names of the shipped specs in `folder`, without `suffix`, sorted.

    >>> shipped_names("workloads", ".toml")
    ('lstm-step', 'mlp')
    """
    names = sorted(
        path.name.removesuffix(suffix)
        for path in shipped_path(folder).iterdir()
        if path.name.endswith(suffix)
    )
    return tuple(names)
