"""What do GPUs beside the machine gain, by what of decoding they are given?

A dense model of 70B, gpt-oss-120b and Kimi K2: decoded alone, with prompts on GPUs,
with attention on them, and with drafts on one side. Prompts of 1,024 and answers of 256
tokens at context 4,096. GPUs attain assumed shares of their peaks. Megawatts are
thermal design power, without hosts and cooling; where it is not published, rates per
megawatt are not computed.
"""

from collections.abc import Callable, Iterator

import pandas as pd
from matplotlib.figure import Figure

from experiments.paired.case import Case, Point
from experiments.paired.figure import pairing_figure
from experiments.paired.fluid import (
    alone,
    devices_alone,
    devices_hold,
    first_tokens,
    prefilled,
)
from experiments.paired.machine_alone import MachineAlone, compile_alone
from experiments.paired.overlapped import (
    attention_point,
    break_even_latency_us,
    draft_point,
)
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from specs.errors import RackError
from specs.pairing import Drafter

CASES = (
    Case(
        model="llama-3-70b",
        machine="groqrack",
        chips=576,
        strategy="tensor=16,pipeline=36",
        feed_forwards=("tensor=16", "tensor=8"),
        pairing="groqrack-h100",
        draft="llama-3-8b",
        draft_chips=72,
        draft_strategy="tensor=8,pipeline=9",
        slots=31,
    ),
    Case(
        model="gpt-oss-120b",
        machine="groqrack",
        chips=576,
        strategy="tensor=16,pipeline=36",
        feed_forwards=("tensor=16", "tensor=16,expert=16"),
        pairing="groqrack-h100",
        draft="gpt-oss-20b",
        draft_chips=96,
        draft_strategy="tensor=8,pipeline=12",
        chunk_tokens=16,
        slots=36,
    ),
    Case(
        model="llama-3-70b",
        machine="lpx",
        chips=256,
        strategy="tensor=16,pipeline=16",
        feed_forwards=("tensor=16", "tensor=64"),
        pairing="lpx-rubin",
        draft="llama-3-8b",
        draft_chips=32,
        draft_strategy="tensor=16,pipeline=2",
        slots=16,
    ),
    # To compile a chunk of its prompts takes minutes, so that it only decodes here.
    Case(
        model="kimi-k2",
        machine="lpx",
        chips=2304,
        strategy="tensor=64,pipeline=36",
        feed_forwards=("tensor=72", "tensor=72,expert=24"),
        pairing="lpx-rubin",
        chunk_tokens=0,
    ),
)
QUICK_CASE = Case(
    model="phi-3-mini",
    machine="groqrack",
    chips=64,
    strategy="tensor=8,pipeline=8",
    feed_forwards=("tensor=8",),
    pairing="groqrack-h100",
    draft="phi-3-mini",
    draft_chips=64,
    draft_strategy="tensor=8,pipeline=8",
    slots=8,
)
BATCHES, QUICK_BATCHES = (1, 4, 16, 64), (1, 4)
USERS = (1, 4, 16, 64, 256)
COLUMNS = {
    "model": "model",
    "machine": "machine",
    "kind": "way",
    "users": "n",
    "tokens_per_s_per_user": "tokens/s",
    "tokens_per_s": "all",
    "tokens_per_s_per_mw": "per MW",
    "machine_idle_share": "idle",
    "devices_idle_share": "GPUs",
}
_PARETO = ["tokens_per_s_per_user", "tokens_per_s_per_mw"]


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: points of each way, break-even latencies, first tokens."""
    rows: list[TableRow] = []
    latencies: list[TableRow] = []
    first: list[TableRow] = []
    for case in (QUICK_CASE,) if quick else CASES:
        machine = compile_alone(case)
        rows += _rows(case, machine, QUICK_BATCHES if quick else BATCHES, seed)
        latencies += _latencies(case, machine, seed)
        first.append(
            {
                "model": case.model,
                "machine": case.machine,
                "users": case.slots,
                **first_tokens(case, machine, case.slots, seed),
            }
        )
    table = pd.DataFrame(rows)
    table["pareto"] = _on_front(table)
    more = {"latency": pd.DataFrame(latencies), "first_tokens": pd.DataFrame(first)}
    return table, pairing_figure(table), more


def _rows(
    case: Case, machine: MachineAlone, batches: tuple[int, ...], seed: int
) -> Iterator[TableRow]:
    """Yield the experiment's rows of a case."""
    for users in sorted({1, *(case.slots // part for part in (4, 2, 1))} - {0}):
        point = alone(case, machine, users)
        if point is None:
            reason = "prompts on the machine are left out: they compile for minutes"
            yield _refused(case, "none", users, reason)
        else:
            yield point.row(case)
        yield prefilled(case, machine, users).row(case)
    for lanes, batch in [(1, 1), *((case.pair.lanes, batch) for batch in batches)]:
        if not devices_hold(case, lanes * batch):
            yield _refused(case, "attention", lanes * batch, "beyond the GPUs' memory")
            continue
        yield _attempt(
            case,
            "attention",
            lanes * batch,
            lambda n=lanes, b=batch: attention_point(  # type: ignore[misc]
                case, lanes=n, batch=b, seed=seed
            ),
        )
        for own, verifier in _drafters(case, machine, batch):
            yield _attempt(
                own,
                "draft",
                lanes * batch,
                lambda c=own, v=verifier, n=lanes, b=batch: draft_point(  # type: ignore[misc]
                    c, v, lanes=n, batch=b, seed=seed
                ),
            )
    for users in USERS:
        point = devices_alone(case, users)
        if point is not None:
            yield point.row(case)


def _drafters(
    case: Case, machine: MachineAlone, batch: int
) -> Iterator[tuple[Case, MachineAlone | None]]:
    """Yield the experiment's case with each side that may draft for a batch."""
    if not case.draft:
        return
    yield case.paired_with(drafter=Drafter.MACHINE), None
    # Users of all lanes must have a slot where the machine verifies.
    if batch * case.pair.lanes <= case.slots and machine.window_cycles is not None:
        yield case.paired_with(drafter=Drafter.DEVICES), _verifier(case)


def _verifier(case: Case) -> MachineAlone:
    """Return the experiment's machine that verifies drafts, compiled once."""
    key = case.model, case.machine
    if key not in _VERIFIERS:
        drafted = case.pair.drafted_tokens
        _VERIFIERS[key] = compile_alone(case, drafted_tokens=drafted)
    return _VERIFIERS[key]


_VERIFIERS: dict[tuple[str, str], MachineAlone] = {}


def _attempt(case: Case, kind: str, users: int, point: Callable[[], Point]) -> TableRow:
    """Return the experiment's row of a point, or the reason why there is none."""
    try:
        return point().row(case)
    except RackError as error:
        return _refused(case, kind, users, str(error))


def _refused(case: Case, kind: str, users: int, reason: str) -> TableRow:
    """Return the experiment's row of a point that cannot be."""
    return {
        "model": case.model,
        "machine": case.machine,
        "pairing": case.pairing,
        "kind": kind,
        "users": users,
        "feasible": False,
        "reason": reason,
    }


def _on_front(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return which of the experiment's points no other of their case beats in both."""
    front = pd.Series(False, index=table.index)
    for _, part in table[table["feasible"]].groupby(["model", "machine"]):
        # Without megawatts, all users' tokens stand in for them.
        known = part["tokens_per_s_per_mw"].notna().all()
        both = part[[_PARETO[0], _PARETO[1] if known else "tokens_per_s"]]
        for row, (mine, all_mine) in zip(both.index, both.to_numpy(), strict=True):
            beaten = (both.iloc[:, 0] >= mine) & (both.iloc[:, 1] >= all_mine)
            better = (both.iloc[:, 0] > mine) | (both.iloc[:, 1] > all_mine)
            front[row] = not (beaten & better).any()
    return front


def _latencies(case: Case, machine: MachineAlone, seed: int) -> Iterator[TableRow]:
    """Yield the experiment's latencies of the link at which a way ends to pay.

    It pays as long as a user alone has more tokens per second than on the machine
    alone, which decodes without prompts meanwhile.
    """
    hz = case.hardware.chip.clock_hz
    plain = hz / max(
        machine.period_cycles if case.slots == 1 else machine.token_cycles, 1
    )
    ways: dict[str, Callable[[Case], Point]] = {
        "attention": lambda own: attention_point(own, lanes=1, batch=1, seed=seed)
    }
    if case.draft:
        ways["draft"] = lambda own: draft_point(own, None, lanes=1, batch=1, seed=seed)
    for kind, way in ways.items():

        def per_user(latency_ns: int, way: Callable[[Case], Point] = way) -> float:
            link = case.pair.link.model_copy(update={"latency_ns": latency_ns})
            return way(case.paired_with(link=link)).per_user

        row: TableRow = {
            "model": case.model,
            "machine": case.machine,
            "kind": kind,
            "machine_tokens_per_s": plain,
        }
        try:
            instant = per_user(0)
        except RackError as error:
            yield {**row, "reason": str(error)}
            continue
        yield {
            **row,
            "reason": "",
            "instant_link_tokens_per_s": instant,
            "tokens_per_s": per_user(case.pair.link.latency_ns),
            "break_even_latency_us": break_even_latency_us(per_user, plain),
        }


if __name__ == "__main__":
    run_script("pairing", __doc__ or "", experiment, COLUMNS)
