"""Command line of an experiment script: options, files and the printed table."""

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, final

import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import picture_bytes
from experiments.script.checkpoint import Checkpoint
from experiments.script.costs import costs
from experiments.sweep.result_store import ResultStore
from experiments.sweep.shards import LEDGER
from experiments.tables.atomic_write import check_writable, csv_bytes, write_bytes
from experiments.tables.status_line import progress_shown
from experiments.tables.terminal_table import terminal_table
from specs.errors import RackError

# Default columns of the printed table, and their headings.
SHOWN = {
    "topology": "topology",
    "chips": "chips",
    "strategy": "strategy",
    "latency_us": "token us",
    "tokens_per_s_per_user": "tokens/s",
    "compute_us": "compute us",
    "link_us": "link us",
    "payload_bytes": "bytes",
    "paths": "paths",
    "algorithm": "algorithm",
    "collective_us": "us",
    "busbw_gb_per_s": "busbw GB/s",
    "routing": "routing",
    "injected_gb_per_s": "GB/s per chip",
    "gain": "gain",
}

Tables = Mapping[str, pd.DataFrame]
# A table, its figure, and further tables by name if there are any.
Findings = tuple[pd.DataFrame, Figure] | tuple[pd.DataFrame, Figure, Tables]
Experiment = Callable[[int, bool], Findings]
FindingsT = TypeVar("FindingsT", bound=Findings)


@final
@dataclass(frozen=True)
class Resumable(Generic[FindingsT]):
    """Decorator of an experiment that keeps finished parts until it is complete.

    Parameters
    ----------
    run
        The experiment, with the checkpoint of its parts as a third argument.
    """

    run: Callable[[int, bool, Checkpoint], FindingsT]

    def __call__(self, seed: int, quick: bool) -> FindingsT:
        """Return the findings of a run that keeps no parts."""
        with ResultStore(None) as ledger:
            return self.run(seed, quick, Checkpoint(ledger))


@final
@dataclass(frozen=True, kw_only=True)
class Subject:
    """What an experiment is asked of in place of its own model and machine.

    Parameters
    ----------
    scenario
        Keys of a scenario that were given: model, machine, topology.
    chips
        Numbers of chips that were given.
    topologies
        Topologies that were given, in this order; the scenario has one of its own.
    """

    scenario: Mapping[str, str]
    chips: tuple[int, ...]
    topologies: tuple[str, ...] = ()


NO_SUBJECT = Subject(scenario={}, chips=())


@final
@dataclass(frozen=True)
class Choosable(Generic[FindingsT]):
    """Decorator of a resumable experiment that takes a model, a machine and chips.

    Parameters
    ----------
    run
        The experiment, with its `Subject` as a fourth argument.
    compares
        Whether it compares topologies, and so takes several.
    """

    run: Callable[[int, bool, Checkpoint, Subject], FindingsT]
    compares: bool = False

    def __call__(self, seed: int, quick: bool) -> FindingsT:
        """Return the findings of a run of its own subject that keeps no parts."""
        return self.about(NO_SUBJECT)(seed, quick)

    @classmethod
    def comparing(
        cls, run: Callable[[int, bool, Checkpoint, Subject], FindingsT]
    ) -> "Choosable[FindingsT]":
        """Decorate an experiment that compares topologies."""
        return cls(run, compares=True)

    def about(self, subject: Subject) -> Resumable[FindingsT]:
        """Return the experiment asked of a subject."""
        return Resumable(lambda seed, quick, kept: self.run(seed, quick, kept, subject))


def _options(name: str, question: str, experiment: Experiment) -> argparse.Namespace:
    """Return the options of a script's command line, and its subject if it has one."""
    # The command groqrack runs scripts too, and names itself here.
    command = sys.argv[0]
    if not command.startswith("groqrack "):
        command = f"python -m experiments.{name}"
    parser = argparse.ArgumentParser(
        prog=command, description=question, allow_abbrev=False
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder")
    parser.add_argument("--seed", type=int, default=1, help="source of all chance")
    parser.add_argument("--quick", action="store_true", help="fewer points")
    if isinstance(experiment, Choosable):
        _add_subject(parser, compares=experiment.compares)
    options = parser.parse_args()
    if options.seed < 0:
        parser.error(f"--seed {options.seed}: must be 0 or more")
    if isinstance(experiment, Choosable):
        options.subject = _subject(parser, options, compares=experiment.compares)
    return options


def _say_cost(name: str, *, quick: bool) -> None:
    """Say on stderr what a script in full costs, before it starts."""
    cost = costs().get(name)
    if cost and not quick and cost.full_s != cost.quick_s:
        print(f"{name}: processor time {cost}", file=sys.stderr)


def run_script(
    name: str,
    question: str,
    experiment: Experiment,
    shown: Mapping[str, str] = SHOWN,
    *,
    digits: int = 1,
    page: Callable[[pd.DataFrame], str] | None = None,
) -> None:
    """Run an experiment script from its command line; write its tables and its figure.

    Parameters
    ----------
    name
        Name of the script, and stem of its files.
    question
        Question of the experiment, for ``--help``.
    experiment
        Takes a seed and whether to be quick. Returns a table, a figure, and optionally
        further tables, which are written as ``<name>_<key>.csv``. A `Resumable` one
        keeps its parts in ``<name>.kept`` until all files are written; a `Choosable`
        one has options for its subject, too.
    shown
        Columns of the printed table, in order, and their headings.
    digits
        Digits after the decimal point in the printed table.
    page
        Returns the table as a page in Markdown, which is written as ``<name>.md``.
    """
    options = _options(name, question, experiment)
    if isinstance(experiment, Choosable):
        experiment = experiment.about(options.subject)
    kept_folder = options.out / f"{name}.kept"
    resumed_parts = 0
    if getattr(options, "subject", NO_SUBJECT) == NO_SUBJECT:
        # Of a subject of one's own nobody knows.
        _say_cost(name, quick=options.quick)
    try:
        check_writable(options.out)
        if isinstance(experiment, Resumable):
            check_writable(kept_folder)
            with ResultStore(kept_folder / LEDGER) as ledger:
                checkpoint = Checkpoint(ledger)
                with progress_shown():
                    findings = experiment.run(options.seed, options.quick, checkpoint)
            resumed_parts = checkpoint.known
        else:
            with progress_shown():
                findings = experiment(options.seed, options.quick)
        table, figure, *more = findings
        tables = {name: table}
        for others in more:
            tables |= {f"{name}_{key}": other for key, other in others.items()}
        written = [
            write_bytes(options.out / f"{stem}.csv", csv_bytes(each))
            for stem, each in tables.items()
        ]
        if page is not None:
            path = options.out / f"{name}.md"
            written.append(write_bytes(path, page(table).encode()))
        picture = options.out / f"{name}.png"
        written.append(write_bytes(picture, picture_bytes(figure)))
    except RackError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        advice = "no file is left half-written"
        if kept_folder.is_dir():
            advice = (
                f"finished parts are kept in {kept_folder}; run the same again to go "
                "on, or delete it to start afresh"
            )
        print(f"interrupted; {advice}", file=sys.stderr)
        sys.exit(130)
    # A later run must compute all parts with the program as it is then.
    shutil.rmtree(kept_folder, ignore_errors=True)
    print(terminal_table(table, shown, digits=digits))
    print("\nwrote " + " and ".join(map(str, written)))
    if resumed_parts:
        print(f"{resumed_parts:,} parts were kept from a run that was interrupted")


def _add_subject(parser: argparse.ArgumentParser, *, compares: bool) -> None:
    """Add the options that say what an experiment script is asked of."""
    parser.add_argument("--model", help="shipped model, or config.json")
    parser.add_argument("--machine", help="shipped machine, or a TOML")
    again = "; repeat it to compare several" if compares else ""
    parser.add_argument(
        "--topology",
        action="append",
        default=[],
        help=f"as groqrack simulate takes it{again}",
    )
    parser.add_argument("--chips", help="numbers of chips, such as 64,72,144")


def _subject(
    parser: argparse.ArgumentParser, options: argparse.Namespace, *, compares: bool
) -> Subject:
    """Return what the options of an experiment script ask about, or refuse them."""
    words = (options.chips or "").split(",") if options.chips is not None else []
    if not all(word.strip().isdecimal() and int(word) for word in words):
        parser.error(f"--chips {options.chips}: write whole numbers, such as 64,72,144")
    topologies = tuple(dict.fromkeys(options.topology))
    if len(topologies) > 1 and not compares:
        parser.error(
            f"--topology is given {len(topologies)} times, and this experiment takes "
            "one; topology_comparison and latency_vs_chips compare several"
        )
    given = {"model": options.model, "machine": options.machine}
    if len(topologies) == 1:
        given["topology"] = topologies[0]
    return Subject(
        scenario={name: value for name, value in given.items() if value is not None},
        chips=tuple(sorted({int(word) for word in words})),
        topologies=topologies,
    )
