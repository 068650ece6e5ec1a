"""Shipped data files: the names of models, machines and workloads, and their paths."""

from collections.abc import Collection
from importlib import resources
from pathlib import Path

from specs.errors import spelling
from specs.input_files import is_there


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


def shipped_as(name: str, names: Collection[str]) -> str:
    """Return the one of `names` that is spelt like `name`, or `name` as it is.

    >>> shipped_as("meta-llama/Llama-2-70B", ["llama-2-70b", "llama-2-7b"])
    'llama-2-70b'
    """
    if name in names or is_there(Path(name)):
        return name
    alike = (each for each in names if spelling(each) == spelling(name))
    return next(alike, name)
