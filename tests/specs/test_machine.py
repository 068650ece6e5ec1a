import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specs.machine
from specs.errors import SpecError
from specs.formats import Format
from specs.machine import (
    MachineSpec,
    load_machine,
    machine_names,
    setting_paths,
)
from specs.weight_formats import WeightFormat

FOLDER = Path(specs.machine.__file__).parent
DATA = [
    FOLDER / "fec_codes.toml",
    FOLDER / "devices.toml",
    *sorted((FOLDER / "machines").glob("*.toml")),
]
SOURCES = re.compile(
    r"isca20|isca22|hc34|brief|gapi|nvlpx|hc26|ieee8023|vendor|horowitz14|keckler11"
    r"|seed\d{3}|stepfit|rubin|assumed|D"
)
NOMINAL_HZ = 900_000_000


@pytest.fixture
def groqrack() -> MachineSpec:
    return load_machine("groqrack")


def written(folder: Path, **changes: str) -> Path:
    """Return a copy of the shipped machine with lines of given keys replaced."""
    text = (FOLDER / "machines" / "groqrack.toml").read_text(encoding="utf-8")
    for key, line in changes.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", line, text)
        assert count == 1
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.name)
def test_every_number_names_its_source(path: Path) -> None:
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\w+ = ", line) and not line.startswith("name = ")
    ]
    assert lines
    for line in lines:
        source = re.search(r"# \[(\w+)\]", line)
        assert source, line
        assert SOURCES.fullmatch(source[1]), line


def test_a_number_without_a_known_source_is_recognised() -> None:
    assert SOURCES.fullmatch("seed003")
    assert not SOURCES.fullmatch("seed3")
    assert not SOURCES.fullmatch("hearsay")


@pytest.mark.parametrize("name", machine_names())
def test_every_shipped_machine_loads(name: str) -> None:
    assert load_machine(name).name == name


def test_a_chip_of_the_groqrack_holds_220_mib(groqrack: MachineSpec) -> None:
    assert groqrack.chip.sram_bytes == 88 * 5 * 2**19
    assert groqrack.chip.ports == 7 + 4
    assert groqrack.formats.weights == WeightFormat(Format.FP8)


def test_a_round_of_tiles_loads_in_forty_cycles(groqrack: MachineSpec) -> None:
    # A tile of 320 x 320 B for each of four planes, over half of 64 streams of 320 B.
    chip = groqrack.chip
    assert chip.round_bytes == chip.mxm_buffer_bytes == 4 * 320 * 320
    assert chip.weight_feed_bytes_per_cycle == chip.stream_bytes_per_cycle // 2
    assert chip.round_bytes == 40 * chip.weight_feed_bytes_per_cycle


@pytest.mark.parametrize("value", ["auto", 1, 2])
def test_the_mode_of_the_matrix_unit_is_set_or_follows_operands(
    groqrack: MachineSpec, value: object
) -> None:
    changed = groqrack.with_settings({"chip.operand_bytes": value})
    assert changed.chip.operand_bytes == value
    assert type(changed.chip.operand_bytes) is type(value)


def test_a_copy_of_a_shipped_machine_is_that_machine(
    tmp_path: Path, groqrack: MachineSpec
) -> None:
    assert load_machine(written(tmp_path)) == groqrack


def test_a_machine_cannot_be_changed(groqrack: MachineSpec) -> None:
    with pytest.raises(ValueError, match=r"frozen"):
        groqrack.spares = 1


def test_a_misspelt_key_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = written(tmp_path, fifo_vectors="fifo_vektors = 16")
    with pytest.raises(
        SpecError,
        match=r"mine\.toml: key 'link\.fifo_vectors' is missing; "
        r"\[link\] has no key 'fifo_vektors'; did you mean 'fifo_vectors'\?",
    ):
        load_machine(path)


def test_a_misspelt_table_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[lnik]\n")
    with pytest.raises(SpecError, match=r"no key 'lnik'; did you mean 'link'\?"):
        load_machine(path)


@pytest.mark.parametrize(
    ("key", "line", "message"),
    [
        ("rate_gbps", "rate_gbps = -100", r"link\.rate_gbps = -100: must be greater"),
        ("drift_ppm", "drift_ppm = -1", r"clock\.drift_ppm = -1: must be greater"),
        ("drift_ppm", "drift_ppm = nan", r"clock\.drift_ppm = nan: must be a finite"),
        (
            "operand_bytes",
            "operand_bytes = 3",
            r"chip\.operand_bytes = 3: must be 'auto' \(the wider operand\), 1 \(INT8 "
            r"mode\) or 2 \(FP16 mode\)",
        ),
        (
            "operand_bytes",
            "operand_bytes = 'wide'",
            r"chip\.operand_bytes = 'wide': must be .*'auto'",
        ),
        (
            "mxm_buffer_bytes",
            "mxm_buffer_bytes = 409_599",
            r"mxm_buffer_bytes 409599 is less than a round of tiles, 4 x 320 x 320 = "
            r"409600 B",
        ),
        (
            "round_overhead_cycles",
            "round_overhead_cycles = -1",
            r"chip\.round_overhead_cycles = -1: must be greater than or equal to 0",
        ),
        (
            "lane_step_cycles",
            "lane_step_cycles = -1",
            r"chip\.lane_step_cycles = -1: must be greater than or equal to 0",
        ),
        (
            "widening_operations",
            "widening_operations = -1",
            r"chip\.widening_operations = -1: must be greater than or equal to 0",
        ),
        (
            "overlap_load",
            "overlap_load = 'sometimes'",
            r"chip\.overlap_load = 'sometimes': must be a valid boolean",
        ),
        ("lanes", "lanes = 'many'", r"chip\.lanes = 'many': must be a valid integer"),
        ("ber", "ber = 0.5", r"link\.ber = 0\.5: must be less than 0\.5"),
        ("wire_bytes", "wire_bytes = 300", r"wire_bytes 300 is below vector_bytes 320"),
        ("code", "code = 'rs529'", r"fec\.code = 'rs529': .* did you mean 'rs528'\?"),
        ("kv_cache", "kv_cache = 'fp7'", r"formats\.kv_cache = 'fp7': must be 'fp32',"),
        (
            "jitter_mean_fraction",
            "jitter_mean_fraction = [0.4, 1.5]",
            r"link\.jitter_mean_fraction = 1\.5: must be less than or equal to 1",
        ),
        (
            "jitter_std_fraction",
            "jitter_std_fraction = [0.2, 0.2]",
            r"jitter_mean_fraction has 7 numbers, jitter_std_fraction 2: give as many",
        ),
        ("jitter_std_fraction", "jitter_std_fraction = []", r"at least 1 item"),
        ("window_epochs", "window_epochs = 24", r"a power of two, such as 16"),
        ("exchanges", "exchanges = 10", r"hac\.exchanges = 10: .* 4, such as 12"),
        (
            "interval_epochs",
            "interval_epochs = -4",
            r"deskew\.interval_epochs = -4: must be 'auto', 0 \(never\)",
        ),
        (
            "interval_epochs",
            "interval_epochs = 'often'",
            r"deskew\.interval_epochs = 'often': must be a valid integer.*'auto'$",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_path(
    tmp_path: Path, key: str, line: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_machine(written(tmp_path, **{key: line}))


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, lanes="lanes = 0", ports="ports = 0")
    with pytest.raises(SpecError, match=r"chip\.lanes = 0: .*chip\.ports = 0: "):
        load_machine(path)


def test_a_damaged_file_says_where(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"mine\.toml: not valid TOML: .*line \d+"):
        load_machine(written(tmp_path, lanes="lanes ="))


def test_an_unknown_machine_is_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"'groqrak' is shipped.*mean 'groqrack'\?"):
        load_machine("groqrak")


def test_a_missing_machine_file_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no file .*gone\.toml \(looked in "):
        load_machine(tmp_path / "gone.toml")


def test_settings_replace_single_numbers(groqrack: MachineSpec) -> None:
    changed = groqrack.with_settings(
        {"link.ber": 1e-9, "spares": 1, "formats.weights": "int4"}
    )
    assert (changed.link.ber, changed.spares) == (1e-9, 1)
    assert changed.formats.weights == WeightFormat(Format.INT4)
    assert changed.chip == groqrack.chip
    assert groqrack.link.ber == 1e-12


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("link.bre", r"--set link\.bre: no such key; did you mean 'link\.ber'\?"),
        ("link", r"--set link: no such key"),
        ("name", r"--set name: no such key"),
        ("link.ber.more", r"--set link\.ber\.more: .* did you mean 'link\.ber'\?"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(
    groqrack: MachineSpec, path: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        groqrack.with_settings({path: 1})


def test_a_setting_out_of_range_is_refused(groqrack: MachineSpec) -> None:
    with pytest.raises(SpecError, match=r"--set: link\.fifo_vectors = 0: must be"):
        groqrack.with_settings({"link.fifo_vectors": 0})


def test_every_setting_can_be_set_to_what_it_is(groqrack: MachineSpec) -> None:
    content = groqrack.model_dump()
    values: dict[str, Any] = {}
    for path in setting_paths(groqrack):
        value: Any = content
        for part in path.split("."):
            value = value[part]
        values[path] = value
    assert {"link.ber", "clock.drift_ppm", "fec.code", "spares"} <= values.keys()
    assert groqrack.with_settings(values) == groqrack


def test_only_what_a_cable_has_beyond_the_measured_one_takes_time(
    groqrack: MachineSpec,
) -> None:
    lengths_m = np.array([0.5, 0.75, 2.75])
    assert groqrack.cable_extra_ps(lengths_m).tolist() == [0, 0, 10_000]


def test_nominal_cycles_turn_into_picoseconds(groqrack: MachineSpec) -> None:
    assert groqrack.cycles_to_ps(9) == 10_000
    assert groqrack.cycles_to_ps(1) == 1_111


def test_a_machine_may_be_given_as_what_differs_from_a_shipped_one(
    tmp_path: Path, groqrack: MachineSpec
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "groqrack"\nname = "mine"\n[link]\nber = 1e-9\n')
    mine = load_machine(path)
    assert mine == groqrack.model_copy(update={"name": "mine"}).with_settings(
        {"link.ber": 1e-9}
    )
    path.write_text('base = "groqrak"\n')
    with pytest.raises(SpecError, match=r"base = 'groqrak' .*did you mean 'groqrack'"):
        load_machine(path)


def test_size_and_wiring_are_the_scenario_s_and_no_settings(
    groqrack: MachineSpec,
) -> None:
    with pytest.raises(SpecError, match=r"system\.chips: no such key"):
        groqrack.with_settings({"system.chips": 8})


def test_the_second_generation_makes_its_published_peaks() -> None:
    machine = load_machine("lpx")
    chip, system = machine.chip, machine.system
    flops = 2 * chip.mxm_int8_macs_per_cycle * chip.clock_hz
    assert flops == pytest.approx(1.2e15, rel=0.03)
    assert flops * system.chips == pytest.approx(315e15, rel=0.003)
    bandwidth = chip.sram_bytes_per_cycle * chip.clock_hz
    assert bandwidth == pytest.approx(150e12, rel=0.03)
    assert chip.sram_bytes * system.chips == 128 * 10**9


def test_the_second_generation_has_the_tiles_and_modes_of_the_first(
    groqrack: MachineSpec,
) -> None:
    first, second = groqrack.chip, load_machine("lpx").chip
    for chip in (first, second):
        # A tile on each plane, a row a cycle; in FP16 mode half of them in two.
        assert chip.mxm_int8_macs_per_cycle == chip.round_bytes
        assert 4 * chip.mxm_fp16_macs_per_cycle == chip.round_bytes
        assert 2 * chip.weight_feed_bytes_per_cycle == chip.stream_bytes_per_cycle
    assert second.round_bytes == first.round_bytes


def test_cards_and_nodes_have_the_chips_of_the_rack(groqrack: MachineSpec) -> None:
    for name, chips in (("groqcard", 1), ("groqnode", 8)):
        machine = load_machine(name)
        assert machine.system.chips == chips
        assert (machine.chip, machine.link) == (groqrack.chip, groqrack.link)
