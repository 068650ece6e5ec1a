"""What listens is bound to the loopback interface, whatever a command starts."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Every address that this process or one that it starts is bound to; a name in the file
# system or of the kernel is none of a network.
SCRIPT = """
import os, sys
def told(event, arguments):
    if event == "socket.bind" and isinstance(arguments[1], tuple):
        os.write(2, f"bound {arguments[1][0]}\\n".encode())
sys.addaudithook(told)
from experiments.cli.app import app
from serving.endpoint.server import listening_socket
if __name__ == "__main__":
    app(["sweep", *sys.argv[1:], "--jobs", "1"], standalone_mode=False)
    listening_socket(0).close()
"""


def test_a_sweep_binds_nothing_and_the_endpoint_binds_loopback(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.toml"
    sweep.write_text('workload = "gemm:64x64x64"\ntokens = 1\n[sweep]\nseed = [1]\n')
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(sweep), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    bound = [line for line in done.stderr.splitlines() if line.startswith("bound ")]
    assert bound == ["bound 127.0.0.1"]
