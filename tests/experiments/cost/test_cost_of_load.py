import pytest

from experiments.cost.cost_of_load import HOURS_PER_YEAR, Cost, cost_of, purchase_usd
from experiments.cost.load import Load
from specs.cost import CostSpec, Range, load_costs
from specs.errors import SpecError

# A second for a prompt and three for answers; 36 kW; ten users.
LOAD = Load(
    kind="traffic",
    model="gpt2",
    machine="groqrack",
    strategy="tensor=1",
    chips=72,
    input_tokens_per_s=1000,
    output_tokens_per_s=100,
    users=10,
    input_share=0.25,
    average_power_w=36_000,
    idle_power_w=18_000,
    tdp_power_w=40_000,
)
ALL = {
    "hardware.groqrack.device_usd": HOURS_PER_YEAR,
    "hardware.groqrack.host_usd": 2 * HOURS_PER_YEAR,
    "hardware.groqrack.rack_usd": 3 * HOURS_PER_YEAR,
    "hardware.groqrack.host_w": 1000,
    "hardware.groqrack.rack_w": 5000,
    "facility.years": 2,
    "facility.pue": 1.5,
    "facility.electricity_usd_per_kwh": 0.1,
}


def costs(**changes: float) -> CostSpec:
    return load_costs().with_values({**ALL, **changes})


def both(value: float) -> Range:
    return Range(value, value)


def test_the_parts_of_an_hour_can_be_added_in_the_head() -> None:
    cost = cost_of(LOAD, costs())
    assert cost.missing == ()
    # 72 cards, 9 nodes and a rack over two years; 36, 9 and 5 kW at 15 cents.
    expected = {
        "devices": 36,
        "hosts": 9,
        "racks": 1.5,
        "devices electricity": 5.4,
        "hosts electricity": 1.35,
        "racks electricity": 0.75,
    }
    for name, usd in expected.items():
        assert cost.parts_usd_per_hour[name] == pytest.approx(both(usd))
    assert cost.total.usd_per_hour == pytest.approx(both(54))
    assert cost.known == cost.total
    assert cost.power_w == pytest.approx(both(75_000))


def test_prompts_and_answers_share_by_the_stage_time_they_take() -> None:
    shared = cost_of(LOAD, costs()).total
    # A quarter of 54 $ for 3.6 M positions, the rest for 0.36 M tokens.
    assert shared.input_usd_per_m_tokens == pytest.approx(both(54 / 4 / 3.6))
    assert shared.output_usd_per_m_tokens == pytest.approx(both(54 * 3 / 4 / 0.36))
    assert shared.usd_per_user_hour == pytest.approx(both(5.4))
    # All that users pay is all that it costs.
    assert shared.input_usd_per_m_tokens is not None
    assert shared.output_usd_per_m_tokens is not None
    paid = 3.6 * shared.input_usd_per_m_tokens.low
    paid += 0.36 * shared.output_usd_per_m_tokens.low
    assert paid == pytest.approx(54)


def test_joules_are_watts_over_tokens_per_second() -> None:
    cost = cost_of(LOAD, costs())
    assert cost.output_token_j == pytest.approx(both(360))
    assert cost.output_tokens_per_j == pytest.approx(both(1 / 360))
    assert cost.tokens_per_j == pytest.approx(both(1100 / 36_000))
    assert cost.output_tokens_per_s_per_mw == pytest.approx(both(100 / 0.036))
    assert cost.facility_output_tokens_per_j == pytest.approx(both(100 / 75_000))


def test_quiet_hours_make_tokens_dearer_and_draw_idle_power() -> None:
    cost = cost_of(LOAD, costs(**{"facility.utilisation": 0.5}))
    assert cost.device_power_w == pytest.approx(both(27_000))
    busy = cost_of(LOAD, costs()).total.usd_per_hour
    half = cost.total.usd_per_hour
    assert busy is not None
    assert half is not None
    # Nine kilowatts less at 15 cents; half the tokens.
    assert half.low == pytest.approx(busy.low - 9 * 0.15)
    assert cost.total.output_usd_per_m_tokens == pytest.approx(
        both(half.low * 3 / 4 / 0.18)
    )


def test_what_is_not_published_is_not_computed_and_the_rest_is_a_floor() -> None:
    cost = cost_of(LOAD, load_costs())
    assert {each.rpartition(".")[2] for each in cost.missing} == {
        *("host_usd", "rack_usd", "host_w", "rack_w"),
    }
    assert cost.total == (None, None, None, None)
    assert cost.power_w is None
    known = cost.known.usd_per_hour
    assert known is not None
    devices = cost.parts_usd_per_hour["devices"]
    electricity = cost.parts_usd_per_hour["devices electricity"]
    assert devices is not None
    assert electricity is not None
    assert known == pytest.approx(
        (devices.low + electricity.low, devices.high + electricity.high)
    )


def test_a_range_goes_from_the_cheapest_to_the_dearest_of_all_prices() -> None:
    prices = load_costs()
    years = prices.range_of("facility.years")
    card = prices.range_of("hardware.groqrack.device_usd")
    assert years is not None
    assert card is not None
    devices = cost_of(LOAD, prices).parts_usd_per_hour["devices"]
    assert devices == pytest.approx(
        (
            72 * card.low / (years.high * HOURS_PER_YEAR),
            72 * card.high / (years.low * HOURS_PER_YEAR),
        )
    )


def none_of(cost: Cost) -> bool:
    values = [cost.device_power_w, cost.output_tokens_per_j, cost.tokens_per_j]
    return not any([*values, *cost.total, *cost.known])


def test_of_the_second_generation_nothing_is_computed() -> None:
    unknown = LOAD._replace(average_power_w=None, idle_power_w=None, tdp_power_w=None)
    cost = cost_of(unknown._replace(machine="lpx"), load_costs())
    assert none_of(cost)
    assert "hardware.lpx.device_usd" in cost.missing
    assert "hardware.lpx.device_w" in cost.missing
    mine = cost_of(unknown._replace(machine="mine"), load_costs())
    assert none_of(mine)
    assert mine.missing == ("hardware of machine mine",)


def test_a_rent_covers_all() -> None:
    prices = load_costs().with_values({"hardware.h100.device_hour_usd": 3})
    content = prices.model_dump()
    content["hardware"]["h100"]["device_usd"] = ()
    rented = CostSpec.model_validate(content)
    cost = cost_of(LOAD._replace(average_power_w=None), rented, "h100")
    assert cost.parts_usd_per_hour == {"rent": both(72 * 3)}
    assert cost.total.usd_per_hour == both(72 * 3)


def test_prompts_elsewhere_leave_all_to_the_answers() -> None:
    shared = cost_of(LOAD._replace(input_share=None), costs()).total
    assert shared.input_usd_per_m_tokens is None
    assert shared.output_usd_per_m_tokens == pytest.approx(both(54 / 0.36))


def test_a_purchase_is_that_of_the_devices() -> None:
    assert purchase_usd(costs(), "groqrack", 10) == pytest.approx(
        both(10 * HOURS_PER_YEAR)
    )
    assert purchase_usd(load_costs(), "lpx", 10) is None
    with pytest.raises(SpecError, match="did you mean 'groqrack'"):
        cost_of(LOAD, costs(), "groqracks")
