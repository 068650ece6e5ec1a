from pathlib import Path

import pytest

from specs.devices import DeviceSpec, devices, load_device
from specs.errors import SpecError
from specs.machine import load_machine

# 100 TFLOPS over 2 TB/s: one byte is worth 50 operations.
ROUND = DeviceSpec(
    name="round", compute_tflops=100.0, memory_tb_per_s=2.0, memory_gb=10.0
)


def test_below_the_ridge_memory_is_the_bound_and_above_it_compute() -> None:
    assert ROUND.ridge_flop_per_byte == 50
    assert ROUND.bound_s(flop=49e12, read_bytes=1e12) == 0.5
    assert ROUND.bound_s(flop=100e12, read_bytes=1e12) == 1.0


def test_devices_share_the_work_evenly() -> None:
    assert ROUND.bound_s(flop=0, read_bytes=4e12, devices=4) == 0.5


def test_a_part_of_a_device_is_a_device() -> None:
    assert [ROUND.holding(size) for size in (1, 1e10, 1e10 + 1)] == [1, 1, 2]


def test_the_ridge_of_an_h100_is_295_operations_per_byte() -> None:
    ridge = devices()["h100"].ridge_flop_per_byte
    assert ridge == pytest.approx(295, abs=0.5)


def test_the_second_generation_is_the_one_of_the_rack() -> None:
    chip, device = load_machine("lpx").chip, devices()["lp30"]
    assert device.memory_gb * 1e9 == chip.sram_bytes
    # Published figures are rounded; those of a rack fix the cycle's.
    flop_per_s = 2 * chip.mxm_int8_macs_per_cycle * chip.clock_hz
    assert device.compute_tflops * 1e12 == pytest.approx(flop_per_s, rel=0.03)
    bytes_per_s = chip.sram_bytes_per_cycle * chip.clock_hz
    assert device.memory_tb_per_s * 1e12 == pytest.approx(bytes_per_s, rel=0.03)


def test_the_chip_is_the_one_of_the_rack() -> None:
    chip, device = load_machine("groqrack").chip, devices()["groqchip1"]
    assert device.memory_gb * 1e9 == pytest.approx(chip.sram_bytes, rel=1e-9)
    flop_per_cycle = 2 * chip.mxm_fp16_macs_per_cycle
    tflops = flop_per_cycle * chip.clock_hz / 1e12
    assert device.compute_tflops == pytest.approx(tflops, rel=2e-3)
    assert device.memory_tb_per_s == pytest.approx(
        chip.sram_bytes_per_cycle * chip.clock_hz / 1e12, rel=1e-3
    )


def test_every_number_of_a_device_names_its_source_and_year() -> None:
    text = (Path(__file__).parents[2] / "specs" / "devices.toml").read_text("utf-8")
    for line in text.splitlines():
        key, equals, rest = line.partition("=")
        if not equals or line.startswith("#") or key.strip() == "name":
            continue
        source = rest.partition("# [")[2]
        assert source, line
        dated = any(year in source for year in map(str, range(2020, 2027)))
        assert dated or key.strip() in ("announced", "devices") or "assumed" in source


def test_a_step_takes_what_its_law_says() -> None:
    law = load_device("h100").step_law
    assert law is not None
    assert law.mean_us(10, 100) == pytest.approx(6600 + 765 + 2920)


def test_a_device_of_a_file_of_ones_own_is_loaded(tmp_path: Path) -> None:
    numbers = "compute_tflops = 1\nmemory_tb_per_s = 2\nmemory_gb = 3\n"
    path = tmp_path / "mine.toml"
    path.write_text(f'[one]\nname = "One"\n{numbers}')
    assert load_device(str(path)).name == "One"
    path.write_text(f'[one]\nname = "One"\n{numbers}[two]\nname = "Two"\n{numbers}')
    assert load_device(f"{path}:two").name == "Two"
    with pytest.raises(SpecError, match="has devices one, two; name one of them"):
        load_device(str(path))


def test_a_device_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no device 'h10' is shipped; did you mean"):
        load_device("h10")
    path = tmp_path / "mine.toml"
    path.write_text('[one]\nname = "One"\ncompute_tflops = 0\n')
    with pytest.raises(SpecError, match=r"mine.toml \[one\]: compute_tflops = 0"):
        load_device(str(path))
    path.write_text("compute_tflops = 1\n")
    with pytest.raises(SpecError, match="compute_tflops is no table"):
        load_device(str(path))
