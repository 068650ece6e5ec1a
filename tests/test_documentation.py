"""What README.md and docs/ show is what the program does.

Every fenced block is run or parsed, page by page; docs/README.md states the convention.
"""

import csv
import difflib
import io
import json
import re
import runpy
import shlex
import sys
import tomllib
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from experiments.cli.app import app, main
from experiments.script.listing import experiment_names

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TARGETS = set(
    re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
)
COMMANDS: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
OF_EXPERIMENTS = {"--out", "--seed", "--quick", "--help"}
OF_COMMANDS = {
    name
    for command in COMMANDS.values()
    for option in command.params
    for name in option.opts
    if name.startswith("--")
}

FENCE = re.compile(r"^( *)```(\w*) *(\S*) *$")
EXIT_CODE = re.compile(r"# exit code (\d+)")
ANY_LINES = "..."
# Lines of an output that a difference shows in one place.
MOST_SHOWN = 40
SHELL_WORDS = {"|", "||", "&", "&&", ";", "<", ">", ">>"}
# What differs from run to run: seconds of a clock on the wall, and memory.
TIMES = (
    (re.compile(r"\b[\d,]+\.\d+ s\b"), "<seconds> s"),
    (
        re.compile(
            r'"(wall_s|compile_s|verify_s|peak_rss_bytes|realtime_factor)": [\d.e+-]+'
        ),
        r'"\1": <varies>',
    ),
)


class Block(NamedTuple):
    """A fenced block: the line of its fence, language, name of a file, content."""

    line: int
    language: str
    name: str
    text: str
    # Whether only blank lines lie between it and the block before.
    follows: bool


class Command(NamedTuple):
    """A command of a block, and the output that the block shows below it."""

    line: int
    text: str
    shown: list[str]


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


class DocumentationError(Exception):
    """A page says what the program does not do."""


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    blocks: list[Block] = []
    opened: re.Match[str] | None = None
    began, follows, content = 0, False, list[str]()
    for number, line in enumerate(page.splitlines(), start=1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened, began, content = fence, number, []
        elif opened is not None and line.strip() == "```":
            indent, language, name = opened.groups()
            text = "".join(f"{each.removeprefix(indent)}\n" for each in content)
            blocks.append(Block(began, language, name, text, follows))
            opened, follows = None, True
        elif opened is not None:
            content.append(line)
        elif line.strip():
            follows = False
    if opened is not None:
        raise DocumentationError(f"line {began}: the block is not closed")
    return blocks


def prose_of(page: str) -> Iterator[tuple[int, str]]:
    """Yield each inline code span of a page, with the line on which it begins."""
    lines = page.splitlines()
    for block in blocks_of(page):
        height = len(block.text.splitlines()) + 2
        lines[block.line - 1 : block.line - 1 + height] = [""] * height
    prose = "\n".join(lines)
    for span in re.finditer(r"(?<!`)`([^`]+)`(?!`)", prose):
        yield prose.count("\n", 0, span.start()) + 1, " ".join(span[1].split())


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a block, with what it shows of their output."""
    commands: list[Command] = []
    prompt = "$ " if block.language == "console" else ""
    goes_on = False
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if goes_on:
            commands[-1] = commands[-1]._replace(text=commands[-1].text + line.strip())
        elif line.startswith(prompt) and (prompt or line.strip("# ")):
            if prompt or not line.startswith("#"):
                commands.append(Command(number, line.removeprefix(prompt), []))
        elif prompt and not commands:
            raise DocumentationError(f"line {number}: output without a command: {line}")
        elif prompt:
            commands[-1].shown.append(line)
        goes_on = bool(commands) and commands[-1].text.endswith("\\")
        if goes_on:
            commands[-1] = commands[-1]._replace(text=commands[-1].text[:-1])
    return commands


def even(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run."""
    for pattern, instead in TIMES:
        text = pattern.sub(instead, text)
    return [line.rstrip() for line in text.rstrip().splitlines()]


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Return whether an output is as shown, ``...`` standing for any lines."""
    pattern = "".join(
        r"(?:.*\n)*" if line == ANY_LINES else re.escape(line) + r"\n" for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def compare(shown: str, printed: str) -> None:
    """Refuse an output that is not as shown.

    Raises
    ------
    DocumentationError
        With the difference.
    """
    expected, actual = even(shown), even(printed)
    if not agrees(expected, actual):
        raise DocumentationError("\n".join(difference(expected, actual)))


def difference(shown: list[str], printed: list[str]) -> Iterator[str]:
    """Yield the lines of a difference; what ``...`` may stand for is not part of it."""
    lines = [line for line in shown if line != ANY_LINES]
    gaps = {
        place - shown[:place].count(ANY_LINES)
        for place, line in enumerate(shown)
        if line == ANY_LINES
    }
    yield "--- the page"
    yield "+++ the program"
    matcher = difflib.SequenceMatcher(None, lines, printed, autojunk=False)
    for what, begin, end, first, last in matcher.get_opcodes():
        if what == "equal":
            yield f" {lines[end - 1]}"
        elif what == "insert" and begin in gaps:
            yield f" {ANY_LINES}"
        else:
            yield from (f"-{line}" for line in lines[begin:end])
            yield from (f"+{line}" for line in printed[first:last][:MOST_SHOWN])


def captured(arguments: list[str], run: Callable[[], object]) -> Done:
    """Return what a call printed, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        patch.setenv("COLUMNS", "80")
        with redirect_stdout(out), redirect_stderr(err):
            try:
                run()
            except SystemExit as stop:
                code = stop.code
    return Done(
        code if isinstance(code, int) else int(bool(code)), *map(_text, (out, err))
    )


def _text(stream: io.StringIO) -> str:
    return stream.getvalue()


def run_module(name: str) -> None:
    """Run a module as ``python -m`` does."""
    with warnings.catch_warnings():
        # It may be imported already, which harms none of ours.
        warnings.filterwarnings("ignore", message=".*found in sys.modules")
        runpy.run_module(name, run_name="__main__")


def check_make(words: list[str]) -> None:
    """Refuse a target that the Makefile has not.

    Raises
    ------
    DocumentationError
        If there is no such target.
    """
    for target in words:
        if "=" not in target and target not in TARGETS:
            raise DocumentationError(f"the Makefile has no target {target!r}")


def check_groqrack(words: list[str]) -> None:
    """Refuse a command or an option that does not exist.

    Raises
    ------
    DocumentationError
        If one does not, or an option lacks its value.
    """
    name, *rest = words or [""]
    if name == "--help":
        return
    if name not in COMMANDS:
        raise DocumentationError(
            f"there is no command {name!r}; there are {', '.join(COMMANDS)}"
        )
    command = COMMANDS[name]
    context = command.context_class(command, info_name=name)
    try:
        # Values may be placeholders, and what must be given may be left out.
        command.make_parser(context).parse_args(args=rest)
    except Exception as error:
        raise DocumentationError(f"groqrack {name}: {error}") from None


def check_experiment(module: str, words: list[str]) -> None:
    """Refuse an experiment or an option of one that does not exist.

    Raises
    ------
    DocumentationError
        If one does not.
    """
    package, _, name = module.partition(".")
    if package != "experiments" or (name and name not in experiment_names()):
        raise DocumentationError(f"there is no experiment {module!r}")
    for word in words:
        if word.startswith("--") and word not in OF_EXPERIMENTS:
            raise DocumentationError(f"{module}: no such option: {word}")


def check_inline(code: str) -> None:
    """Refuse inline code that names a command, experiment or option we lack.

    Raises
    ------
    DocumentationError
        If something that it names does not exist.
    """
    match code.split():
        case ["groqrack", *words] if words:
            check_groqrack(shlex.split(" ".join(words)))
        case ["python", "-m", module, *words] if module.startswith("experiments"):
            check_experiment(module, words)
        case ["make", *words] if words:
            check_make(words)
        case [option, *_] if re.fullmatch("--[a-z-]+", option):
            if option not in OF_COMMANDS | OF_EXPERIMENTS:
                raise DocumentationError(f"no command has an option {option!r}")


class Page:
    """A page whose blocks run in a folder of its own, one after the other."""

    def __init__(self, name: str, text: str, folder: Path) -> None:
        self._name = name
        self._text = text
        self._folder = folder
        self._scope: dict[str, Any] = {"__name__": "page"}
        self._printed: str | None = None

    def faults(self) -> list[str]:
        """Run all blocks; return what is wrong, with page and line."""
        faults = []
        try:
            steps: list[tuple[int, Callable[[], None]]] = [
                (block.line, lambda block=block: self._run(block))  # type: ignore[misc]
                for block in blocks_of(self._text)
            ]
            steps += [
                (line, lambda code=code: check_inline(code))  # type: ignore[misc]
                for line, code in prose_of(self._text)
            ]
        except DocumentationError as error:
            return [f"{self._name}: {error}"]
        with chdir(self._folder):
            for line, step in steps:
                try:
                    step()
                except DocumentationError as error:
                    faults.append(f"{self._name}:{line}: {error}")
        return faults

    def _run(self, block: Block) -> None:
        printed, self._printed = self._printed, None
        if block.name:
            self._write(block)
        match block.language:
            case "console" | "sh":
                for command in commands_of(block):
                    self._run_command(block, command)
            case "python":
                self._run_python(block)
            case "text" if block.follows and printed is not None:
                compare(block.text, printed)
            case "toml" | "csv" | "json":
                self._parse(block)

    def _write(self, block: Block) -> None:
        path = Path(block.name)
        if path.is_absolute() or ".." in path.parts:
            raise DocumentationError(f"{path}: leaves the page's folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def _parse(self, block: Block) -> None:
        try:
            match block.language:
                case "toml":
                    tomllib.loads(block.text)
                case "json":
                    json.loads(block.text)
                case _:
                    rows = [*csv.reader(io.StringIO(block.text), strict=True)]
                    if len({len(row) for row in rows}) > 1:
                        raise ValueError("rows of unequal length")
        except (ValueError, csv.Error) as error:
            raise DocumentationError(f"no {block.language}: {error}") from None

    def _run_command(self, block: Block, command: Command) -> None:
        said = EXIT_CODE.search(command.text)
        expected = int(said[1]) if said else 0
        try:
            done = self._done(command.text)
            if done.code != expected:
                raise DocumentationError(
                    f"exit code {done.code}, expected {expected}\n"
                    f"{done.out[-2000:]}{done.err[-2000:]}"
                )
            if block.language == "console":
                # A terminal shows why a command failed below what it printed.
                printed = done.out + (done.err if expected else "")
                compare("\n".join(command.shown), printed)
        except DocumentationError as error:
            raise DocumentationError(
                f"line {command.line}: $ {command.text}\n{error}"
            ) from None

    def _done(self, text: str) -> Done:
        words = shlex.split(text, comments=True)
        unmeant = SHELL_WORDS & set(words)
        if unmeant:
            raise DocumentationError(f"{min(unmeant)!r}: only plain commands are run")
        match words:
            case ["groqrack", *rest]:
                check_groqrack(rest)
                return captured(words, main)
            case ["python", "-m", module, *rest]:
                check_experiment(module, rest)
                return captured([module, *rest], lambda: run_module(module))
            case ["make", *targets]:
                check_make(targets)
                return Done(0, "", "")
        raise DocumentationError(
            "only groqrack, python -m experiments and make are run"
        )

    def _run_python(self, block: Block) -> None:
        # Blank lines first, so that a traceback names the page's own lines.
        source = "\n" * block.line + block.text
        failed = list[str]()

        def run() -> None:
            try:
                exec(compile(source, self._name, "exec"), self._scope)
            except Exception:
                failed.append(traceback.format_exc(limit=-3))

        self._printed = captured([self._name], run).out
        if failed:
            raise DocumentationError(failed[0])


def faults_of(text: str, folder: Path) -> list[str]:
    """Return the faults of a made-up page."""
    return Page("page.md", text, folder).faults()


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_a_page_shows_what_the_program_does(page: Path, tmp_path: Path) -> None:
    name = page.relative_to(ROOT).as_posix()
    faults = Page(name, page.read_text("utf-8"), tmp_path).faults()
    if faults:
        pytest.fail("\n\n".join(faults), pytrace=False)


GOOD = """
```toml scenario.toml
model = "gpt2"
chips = 1
context = 128
tokens = 1
engine = "replay"
strategy = "tensor=1"
```

```console
$ groqrack simulate scenario.toml
Plan
...
strategy                tensor=1,pipeline=1 on one chip
...
simulated               1 iteration, 252 events in 0.00 s
...
$ groqrack plan --model gpt2 --chips 1 --strategy tensor=1  # exit code 2
error: gpt2 has learned its positions, and only 1024: context 4096 is beyond them; \
use --context 1024 or less
```

```sh
# A remark.
groqrack plan scenario.toml \\
  --out plan.csv
make demo  # not run
```

```python
from pathlib import Path

print(Path("plan.csv").exists(), 0.25, "s")
```

```text
True 0.31 s
```

```
not run
```

Say `groqrack plan --explain`, `python -m experiments.hop_counts --quick`, `make
test` or `--json`.
"""


def test_a_page_that_is_true_has_no_faults(tmp_path: Path) -> None:
    assert faults_of(GOOD, tmp_path) == []
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "plan.csv",
        "scenario.toml",
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("on one chip", "on two chips", "+strategy  "),
        ("252 events", "275 events", "+simulated  "),
        ("\n...\nsimulated", "\nsimulated", "+Latency"),
        ("# exit code 2", "", "exit code 2, expected 0"),
        ("# exit code 2", "# exit code 3", "exit code 2, expected 3"),
        ("only 1024", "only 2048", "+error: gpt2 has learned"),
        ("--out plan.csv", "--output plan.csv", "no such option: --output"),
        ("--out plan.csv", "--out plan.txt | cat", "'|': only plain commands"),
        ("groqrack plan scenario", "groqrack plot scenario", "no command 'plot'"),
        ("make demo", "make deom", "no target 'deom'"),
        ("make demo", "rm plan.csv", "only groqrack, python -m experiments and make"),
        ("True 0.31", "False 0.31", "+True <seconds> s"),
        ("print(Path", "print(undefined, Path", "NameError"),
        ("chips = 1\n", "chips = one\n", "no toml"),
        ("toml scenario.toml", "toml ../scenario.toml", "leaves the page's folder"),
        ("--explain", "--explian", "no such option: --explian"),
        ("groqrack plan --explain", "groqrack plot", "no command 'plot'"),
        ("experiments.hop_counts", "experiments.hop_count", "no experiment"),
        ("hop_counts --quick", "hop_counts --fast", "no such option: --fast"),
        ("make\ntest", "make\ntets", "no target 'tets'"),
        ("`--json`", "`--jason`", "no command has an option '--jason'"),
        ("True 0.31 s\n```", "True 0.31 s\n", "is not closed"),
    ],
)
def test_a_page_that_is_not_true_is_told_so(
    right: str, wrong: str, fault: str, tmp_path: Path
) -> None:
    assert GOOD.count(right) == 1
    faults = "\n".join(faults_of(GOOD.replace(right, wrong), tmp_path))
    assert faults.startswith("page.md:")
    assert fault.lower() in faults.lower()


def test_a_fault_names_page_line_and_command(tmp_path: Path) -> None:
    page = "# Page\n\n```console\n$ groqrack topology --chips 8\nnone\n```\n"
    (fault,) = faults_of(page, tmp_path)
    assert fault.startswith(
        "page.md:3: line 4: $ groqrack topology --chips 8\n--- the page"
    )


def test_a_block_without_a_name_must_parse(tmp_path: Path) -> None:
    page = "```json\n{'a': 1}\n```\n\n```csv\na,b\n1\n```\n"
    no_json, no_csv = faults_of(page, tmp_path)
    assert no_json.startswith("page.md:1: no json")
    assert no_csv == "page.md:5: no csv: rows of unequal length"
