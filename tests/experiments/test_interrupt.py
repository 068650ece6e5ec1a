import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


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
    assert process.wait(timeout=30) in (0, 1)
    process.stderr.close()
