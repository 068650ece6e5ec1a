from pathlib import Path

import pytest

from specs.cost import (
    GIVEN,
    CostSpec,
    Facility,
    Hardware,
    ListPrice,
    Range,
    Reading,
    Source,
    cost_names,
    load_costs,
)
from specs.errors import SpecError

PRICE = "hardware.groqrack.device_usd"


def written(folder: Path, text: str) -> Path:
    path = folder / "costs.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_price_names_a_document_and_a_date() -> None:
    assert cost_names() == ("default",)
    costs = load_costs()
    readings = [each for value in costs.readings().values() for each in value]
    assert readings
    cited = [(each.source, each.date) for each in readings]
    cited += [(each.source, each.date) for each in costs.list_prices]
    for key, date in cited:
        assert key in costs.sources
        assert date[:4].isdecimal()
    for key, source in costs.sources.items():
        assert key in {key for key, _ in cited}
        assert "shared" not in f"{source.title} {source.publisher}"


def test_readings_that_differ_are_a_range_and_none_is_no_value() -> None:
    costs = load_costs()
    values = [each.value for each in costs.readings()[PRICE]]
    assert costs.range_of(PRICE) == Range(min(values), max(values))
    assert len(set(values)) > 1
    assert costs.range_of("hardware.lpx.device_usd") is None
    assert costs.range_of("hardware.groqrack.host_usd") is None
    assert [str(Range(1, 1)), str(Range(1, 2.5))] == ["1", "1..2.5"]


def test_a_machine_finds_its_hardware() -> None:
    costs = load_costs()
    assert costs.hardware_of("groqcard") == "groqrack"
    assert costs.hardware_of("mine") is None


def test_a_value_given_by_the_user_is_all_there_is(tmp_path: Path) -> None:
    given = load_costs().with_values({PRICE: "7000"})
    assert given.range_of(PRICE) == (7000, 7000)
    assert given.readings()[PRICE][0].source == GIVEN
    path = written(tmp_path, "[facility]\nyears = []\n")
    assert load_costs(path).range_of("facility.years") is None
    assert load_costs(path).range_of("facility.pue") == (1.55, 1.58)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[facility]\npues = []\n", "did you mean 'pue'"),
        (
            '[facility]\npue = [{ value = 2, source = "x", date = "2024" }]\n',
            r"facility\.pue: source 'x' is not in \[sources\]",
        ),
        ('[facility]\npue = [{ value = 2, source = "eia" }]\n', "date' is missing"),
        (
            '[facility]\npue = [{ value = 2, source = "eia", date = "May" }]\n',
            "date",
        ),
        ("[facility]\npue = 2\n", "pue"),
    ],
)
def test_a_price_without_source_or_date_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_costs(written(tmp_path, text))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("facility.year", 3, "did you mean 'facility.years'"),
        ("facility.years", 0, "must be > 0"),
        ("facility.pue", 0.9, "must be >= 1"),
        ("facility.utilisation", 1.1, "must be > 0 and <= 1"),
        (PRICE, -1, "greater than or equal to 0"),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    path: str, value: float, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_costs().with_values({path: value})


def test_a_list_price_needs_a_source_too() -> None:
    price = ListPrice(
        provider="p", model="m", input_usd=1, output_usd=2, source="x", date="2024"
    )
    with pytest.raises(ValueError, match="list_prices m: source 'x'"):
        CostSpec(
            facility=Facility(),
            hardware={"h": Hardware(device="d", device_usd=(_reading("s"),))},
            list_prices=(price,),
            sources={"s": Source(title="t", publisher="p", date="2024")},
        )


def _reading(source: str) -> Reading:
    return Reading(value=1, source=source, date="2024")
