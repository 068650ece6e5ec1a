import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from chip.program import Opcode
from experiments.run.scenario import Run, run_scenario
from experiments.trace import trace
from experiments.trace.chrome_json import chrome_json
from experiments.trace.perfetto import perfetto_bytes
from experiments.trace.trace import Bar, Trace, token_trace
from experiments.trace.window import Window, window_of
from fabric.results.iteration_log import NEVER
from specs.errors import SpecError
from specs.scenario import Scenario

# A rack has 72 chips; those that hold nothing may still forward.
EVERYTHING = Window(first_chip=0, last_chip=71)


@pytest.fixture(scope="module")
def whole(small_run: Run) -> Trace:
    return token_trace(small_run, EVERYTHING)


def on_chips(shown: Trace) -> list[Bar]:
    return [bar for bar in shown.bars if bar.category != "TRAIN"]


def named(bar: Bar, shown: Trace) -> str:
    return shown.tracks[bar.track].name


def test_every_operator_is_a_bar_for_each_of_its_slice_instructions(
    small_run: Run, whole: Trace
) -> None:
    program = small_run.schedule.program
    code = program.instructions
    expected = Counter[tuple[int, int, str]]()
    seen = set()
    for row in np.flatnonzero(code.kind >= 0).tolist():
        key = (int(code.chip[row]), int(code.operator[row]), int(code.kind[row]))
        # A product's read of its weights and the product itself have one kind.
        if key in seen and code.opcode[row] != Opcode.LOAD:
            continue
        seen.add(key)
        for step in program.kinds[key[2]].steps:
            first = int(code.start_cycle[row]) + step.start_cycle
            expected[key[0], first, step.step.name] += 1
    ports = {"SEND", "FORWARD", "RECEIVE"}
    found = Counter(
        (whole.tracks[bar.track].group, bar.details["start_cycle"], bar.category)
        for bar in on_chips(whole)
        if bar.category not in ports
    )
    assert found == expected
    on_ports = sum(bar.category in ports for bar in on_chips(whole))
    assert on_ports == (code.train >= 0).sum()
    assert min(bar.duration_ps for bar in whole.bars) >= 0
    assert min(bar.start_ps for bar in whole.bars) == 0


def test_every_train_is_on_its_wire_while_it_is_sent(
    small_run: Run, whole: Trace
) -> None:
    trains = small_run.schedule.program.trains
    wires = [bar for bar in whole.bars if bar.category == "TRAIN"]
    assert sorted(bar.details["train"] for bar in wires) == list(range(len(trains)))
    for bar in wires:
        train = bar.details["train"]
        assert named(bar, whole).startswith(f"link {trains.link[train]}: ")
        assert bar.details["vectors"] == trains.vectors[train]
    sent = {
        bar.details["train"]: (bar.start_ps, bar.duration_ps)
        for bar in whole.bars
        if bar.category in ("SEND", "FORWARD")
    }
    assert sent == {
        bar.details["train"]: (bar.start_ps, bar.duration_ps) for bar in wires
    }


def test_bars_of_one_track_do_not_overlap(whole: Trace) -> None:
    tracks: dict[int, list[Bar]] = {}
    for bar in whole.bars:
        tracks.setdefault(bar.track, []).append(bar)
    for bars in tracks.values():
        for before, after in pairwise(bars):
            assert before.start_ps + before.duration_ps <= after.start_ps


def test_a_bar_is_as_long_as_its_instruction_takes(
    small_run: Run, whole: Trace
) -> None:
    period_ps = 1e12 / small_run.prepared.machine.chip.clock_hz
    for bar in whole.bars:
        nominal_ps = bar.details["duration_cycles"] * period_ps
        assert bar.duration_ps == pytest.approx(nominal_ps, rel=1e-4, abs=4)


def test_an_arrow_leads_from_a_send_to_its_receive(
    small_run: Run, whole: Trace
) -> None:
    trains, topology = small_run.schedule.program.trains, small_run.prepared.topology
    assert sorted(arrow.train for arrow in whole.arrows) == list(range(len(trains)))
    for arrow in whole.arrows:
        source, target = whole.bars[arrow.source], whole.bars[arrow.target]
        assert source.category in ("SEND", "FORWARD")
        assert target.category == "RECEIVE"
        assert source.start_ps < target.start_ps
        link = trains.link[arrow.train]
        ends = (whole.tracks[source.track].group, whole.tracks[target.track].group)
        assert ends == (topology.source[link], topology.target[link])


def test_slack_is_what_the_links_table_knows(small_run: Run, whole: Trace) -> None:
    least_ps: dict[int, int] = {}
    for sample in whole.samples:
        known = least_ps.get(sample.link, sample.slack_ps)
        least_ps[sample.link] = min(known, sample.slack_ps)
    table = small_run.result.links
    assert sorted(least_ps) == table.link.tolist()
    # The table counts every vector of every token, the trace heads of one token.
    for link, slack_ps in zip(table.link, table.least_slack_ps, strict=True):
        assert slack_ps <= least_ps[link]


def test_only_the_chips_and_the_time_asked_for_are_shown(
    small_run: Run, whole: Trace
) -> None:
    window = Window(first_chip=5, last_chip=7, start_us=10, end_us=20)
    shown = token_trace(small_run, window)
    assert {number for number in shown.groups if number < 72} == {5, 6, 7}
    within = [
        bar
        for bar in on_chips(whole)
        if 5 <= whole.tracks[bar.track].group <= 7
        and 10_000_000 <= bar.start_ps <= 20_000_000
    ]
    known = Counter((bar.name, bar.category, bar.start_ps) for bar in on_chips(shown))
    assert Counter((bar.name, bar.category, bar.start_ps) for bar in within) <= known
    # An operator that has begun is shown with all that its slices do.
    assert len(on_chips(shown)) < len(on_chips(whole)) / 4
    assert max(bar.start_ps for bar in shown.bars) < 30_000_000
    assert shown.left_out == 0


def test_no_more_events_than_a_viewer_takes_and_the_rest_is_counted(
    small_run: Run, whole: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_MOST_EVENTS", 100)
    cut = token_trace(small_run, EVERYTHING)
    assert len(cut.bars) + len(cut.samples) <= 100
    everything = token_trace(
        small_run, EVERYTHING._replace(first_chip=72, last_chip=72)
    )
    assert not everything.bars
    assert cut.left_out > 0
    starts = {bar.start_ps for bar in on_chips(cut)}
    missing = [bar for bar in on_chips(whole) if bar.start_ps not in starts]
    # What is left out begins after the last operator that is shown has begun.
    assert min(bar.start_ps for bar in missing) > min(starts)


def test_what_never_came_or_never_began_is_not_shown(
    tmp_path: Path, small_scenario: Scenario
) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "chip-stops"\nchip = 7\nat_us = 2\n')
    broken = small_scenario.model_copy(update={"faults": str(faults), "sequences": 1})
    run = run_scenario(broken)
    shown = token_trace(run, EVERYTHING)
    record = run.result.records[0]
    code = run.schedule.program.instructions
    began = record.instruction_ps != NEVER
    assert not began.all()
    on_ports = [bar for bar in on_chips(shown) if "train" in bar.details]
    assert len(on_ports) == (began & (code.train >= 0)).sum()
    assert min(bar.start_ps for bar in shown.bars) == 0
    taken = code.train[began & (code.opcode == Opcode.RECEIVE)]
    assert len(shown.samples) == (record.arrival_ps[taken] != NEVER).sum()


def test_chrome_times_are_whole_nanoseconds_and_picoseconds_are_kept(
    whole: Trace,
) -> None:
    events = json.loads(chrome_json(whole))["traceEvents"]
    bars = [event for event in events if event["ph"] == "X"]
    assert len(bars) == len(whole.bars)
    for event, bar in zip(bars, whole.bars, strict=True):
        assert event["args"]["start_ps"] == bar.start_ps
        assert round(event["ts"] * 1_000) == bar.start_ps // 1_000
        end_ps = bar.start_ps + bar.duration_ps
        assert round((event["ts"] + event["dur"]) * 1_000) == end_ps // 1_000


def test_the_same_token_gives_the_same_bytes(whole: Trace, small_run: Run) -> None:
    again = token_trace(small_run, EVERYTHING)
    assert perfetto_bytes(again) == perfetto_bytes(whole)
    assert chrome_json(again) == chrome_json(whole)


def test_tracks_of_a_chip_are_in_the_order_of_its_slices(whole: Trace) -> None:
    for before, after in pairwise(whole.tracks):
        assert (before.group, before.number) < (after.group, after.number)
    ports = np.unique([track.name for track in whole.tracks if track.group == 0])
    assert {"MEM read", "MXM load", "MXM multiply", "VXM", "SXM"} <= set(ports)
    assert {"C2C out 0", "C2C in 0"} <= set(ports)


def test_a_window_is_two_ranges() -> None:
    assert window_of("0-31", "0-inf") == Window()
    assert window_of("4-4", "100-250.5") == Window(4, 4, 100.0, 250.5)


@pytest.mark.parametrize(
    ("chips", "time_us", "told"),
    [
        ("7", "0-1", "write FROM-TO"),
        ("0-1-2", "0-1", "write FROM-TO"),
        ("0-1", "-5-3", "write FROM-TO"),
        ("a-b", "0-1", "write FROM-TO"),
        ("3-2", "0-1", "FROM must lie before TO"),
        ("0-1", "5-5", "FROM must lie before TO"),
        ("0-1", "nan-nan", "FROM must lie before TO"),
    ],
)
def test_a_window_that_cannot_be_is_refused(
    chips: str, time_us: str, told: str
) -> None:
    with pytest.raises(SpecError, match=told):
        window_of(chips, time_us)
