import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = "from experiments.cli.app import main; main()"


def test_ctrl_c_in_the_middle_of_a_run_ends_it_and_leaves_no_file(
    start: Callable[..., "subprocess.Popen[str]"], tiny_config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ["--model", tiny_config, "--chips", "16", "--tokens", "1000000"]
    process = start("simulate", *options, "--out", out)
    while not out.exists():
        assert process.poll() is None
        time.sleep(0.01)
    # The folder is made first; some moments later chips are running.
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    printed, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (printed, told) == ("", "interrupted; no file is left half-written\n")
    assert list(out.iterdir()) == []


def test_a_reader_that_has_seen_enough_is_no_error(
    start: Callable[..., "subprocess.Popen[str]"], tiny_config: Path
) -> None:
    process = start("plan", "--model", tiny_config, "--chips", "16", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=30) == 0
    process.stderr.close()


@pytest.mark.parametrize(
    "words", [["models", "gpt2"], ["plan", "--chips", "16", "--json"]]
)
def test_a_result_that_cannot_be_printed_is_an_error_in_one_line(
    words: list[str], tiny_config: Path
) -> None:
    if words[0] == "plan":
        words = [*words, "--model", str(tiny_config)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "error: cannot print the result: No space left on device\n"
