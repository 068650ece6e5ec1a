"""The promises the repository makes about itself, whatever the code computes."""

import ast
import os
import re
import shutil
import subprocess
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"][
    "packages"
]
MOST_LINES = 300
# Names that say nothing about what is inside.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "core", "base", "manager"}
# Names that only this project would know; the field has a noun for each.
PRIVATE_NAMES = {
    "descent",
    "found",
    "laying",
    "looks",
    "skips",
    "stints",
    "verdict",
    "ways",
    "weighing",
}
# Modules of a folder, but for specs and the scripts of experiments.
MOST_MODULES = 15
LEFT_BY_RUNS = {"__pycache__", "build", "demo-output", "dist", "results"}

# Each pattern is spelt so that it does not match its own text.
NOT_PORTABLE = {
    "a path of one machine": re.compile(
        r"(?<![\w.-])/(?:[w]ork|[r]oot|[h]ome|[t]mp|[U]sers)/|[.][.]/[s]hared\b"
    ),
    "a package index option": re.compile(r"[-_](?:[i]ndex[-_]url|[f]ind[-_]links)\b"),
    "a registry host": re.compile(
        r"[p]ypi\.org|[p]ythonhosted\.org|[n]pmjs\.(?:org|com)|[d]eb\.debian\.org",
        re.IGNORECASE,
    ),
}


@cache
def repository_files() -> tuple[Path, ...]:
    """Return the files that are, or would be, part of the repository."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if listing.returncode == 0:
            names = sorted(set(filter(None, listing.stdout.split("\0"))))
            return tuple(ROOT / name for name in names if (ROOT / name).is_file())
    found = []
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name not in LEFT_BY_RUNS and (name == ".ci" or not name.startswith("."))
        )
        found += [Path(folder, name) for name in sorted(names)]
    return tuple(found)


def faces() -> list[Path]:
    return [path for path in modules() if path.name == "__init__.py"]


def modules() -> list[Path]:
    return [
        path
        for path in repository_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES
    ]


def named(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def requirements() -> list[Requirement]:
    extras = PYPROJECT["project"]["optional-dependencies"]
    listed = [
        *PYPROJECT["build-system"]["requires"],
        *PYPROJECT["project"]["dependencies"],
        *extras["test"],
        *extras["dev"],
    ]
    return [Requirement(line) for line in listed]


def locked_pins(file: str = "requirements.lock") -> dict[str, tuple[str, int]]:
    """Return the version and the number of hashes of each project in a lock."""
    text = (ROOT / file).read_text("utf-8")
    entries = re.findall(
        r"^([\w.-]+)==([\w.!+-]+)((?:.*\\\n)*.*)$", text, flags=re.MULTILINE
    )
    return {
        canonicalize_name(name): (version, rest.count("--hash=sha256:"))
        for name, version, rest in entries
    }


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    matches = []
    for path in repository_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:  # a picture
            continue
        matches += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), start=1)
            if pattern.search(line)
        ]
    return matches


@pytest.mark.parametrize("what", NOT_PORTABLE)
def test_no_file_depends_on_where_it_was_written(what: str) -> None:
    assert lines_that_match(NOT_PORTABLE[what]) == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of one machine", "open('/" + "tmp/out.csv')"),
        ("a path of one machine", "see .." + "/shared/notes"),
        ("a package index option", "--extra-index" + "-url=here"),
        ("a registry host", "https://" + "pypi" + ".org/simple"),
    ],
)
def test_what_depends_on_one_machine_is_recognised(what: str, line: str) -> None:
    assert NOT_PORTABLE[what].search(line)


def test_every_package_is_introduced_by_a_docstring_and_imports_nothing() -> None:
    bodies = {path: ast.parse(path.read_text("utf-8")).body for path in faces()}
    lazy = bodies[ROOT / "experiments" / "__init__.py"].pop()
    assert isinstance(lazy, ast.FunctionDef)
    assert lazy.name == "__getattr__"
    assert named([path for path, body in bodies.items() if len(body) > 1]) == []
    rooms = [path for path in faces() if path.parent.parent != ROOT]
    assert len(rooms) > len(PACKAGES)


def test_the_face_of_a_package_names_only_what_there_is() -> None:
    missing = []
    for path in faces():
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        text = docstring.partition("\n")[2]
        for line in re.findall(r"^(\w+(?:, \w+)*): (?=\w)", text, flags=re.MULTILINE):
            missing += [
                f"{path.relative_to(ROOT)}: {name}"
                for name in line.split(", ")
                if not (path.parent / f"{name}.py").is_file()
                and not (path.parent / name).is_dir()
            ]
    assert missing == []


def test_every_package_tells_type_checkers_that_it_is_typed() -> None:
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []


def test_every_module_opens_by_saying_what_it_is() -> None:
    silent = [
        path
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert named(silent) == []


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    long = [
        path
        for path in modules()
        if len(path.read_text("utf-8").splitlines()) > MOST_LINES
    ]
    assert named(long) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = [
        path
        for path in repository_files()
        if path.suffix == ".py" and {path.stem, path.parent.name} & EMPTY_NAMES
    ]
    assert named(empty) == []


def test_modules_and_classes_have_names_of_the_field() -> None:
    private = []
    for path in modules():
        classes = [
            node.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ClassDef)
        ]
        private += [
            f"{path.relative_to(ROOT)}: {name}"
            for name in (path.stem, path.parent.name, *classes)
            if name.strip("_").lower() in PRIVATE_NAMES
        ]
    assert private == []


def test_a_folder_holds_no_more_modules_than_a_reader_can_scan() -> None:
    count = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in modules()
        if path.name != "__init__.py"
    )
    flat = {"experiments", "specs"}
    crowds = {
        folder: number
        for folder, number in count.items()
        if number > MOST_MODULES and folder not in flat
    }
    assert crowds == {}


def test_the_rooms_of_experiments_import_no_script() -> None:
    scripts = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    wrong = []
    for path in modules():
        if path.parent == ROOT / "experiments":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                package, _, name = node.module.partition(".")
                if package == "experiments" and name in scripts:
                    wrong.append(f"{path.relative_to(ROOT)}: {node.module}")
    assert wrong == []


def test_no_folder_of_tests_shadows_a_package() -> None:
    shadows = [
        path
        for path in repository_files()
        if path.name == "__init__.py" and path.relative_to(ROOT).parts[0] == "tests"
    ]
    assert named(shadows) == []


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_help_lists_every_target_with_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    surroundings = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE")
    }
    shown = subprocess.run(
        ["make", "help"],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    described = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert sorted(described) == sorted(phony.split())
    assert {"demo", "test", "bench", "clean", "help"} <= described.keys()


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_lock_pins_every_requirement_with_a_hash(requirement: Requirement) -> None:
    version, hashes = locked_pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)
    assert hashes > 0


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-tools.lock"])
def test_a_lock_pins_nothing_without_a_hash(file: str) -> None:
    assert [name for name, (_, hashes) in locked_pins(file).items() if not hashes] == []


def test_the_tools_of_make_are_pinned_in_versions_that_are_asked_for() -> None:
    lines = (ROOT / "requirements-tools.in").read_text("utf-8").splitlines()
    asked = [Requirement(line.partition("#")[0]) for line in lines if line[:1] != "#"]
    pins = locked_pins("requirements-tools.lock")
    assert {each.name for each in asked} == {"cyclonedx-bom", "uv"}
    for each in asked:
        assert each.specifier.contains(pins[canonicalize_name(each.name)][0])
