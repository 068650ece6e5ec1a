"""Cost of a load: $ per hour by part, shared out over tokens and users, and energy.

Every value is a range, from the cheapest reading of all prices to the dearest. A part
whose price nobody has published is None, and so is every sum with it; beside the sum
stands that of the parts which are known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, final

from experiments.cost.load import Load
from specs.cost import CostSpec, Range
from specs.errors import SpecError, nearest
from specs.units import ceil_div

HOURS_PER_YEAR = 365.25 * 24
_SECONDS_PER_HOUR = 3600
_MILLION = 1e6
_W_PER_KW = 1000


class Shared(NamedTuple):
    """A cost per hour, shared out; None where it cannot be computed.

    Attributes
    ----------
    usd_per_hour
        Cost of the machine.
    input_usd_per_m_tokens, output_usd_per_m_tokens
        Of a million positions of prompts, and of a million tokens of answers: in
        proportion to the stage time that each take.
    usd_per_user_hour
        Of an hour of one request that is always under way.
    """

    usd_per_hour: Range | None = None
    input_usd_per_m_tokens: Range | None = None
    output_usd_per_m_tokens: Range | None = None
    usd_per_user_hour: Range | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost and energy of a load.

    Attributes
    ----------
    parts_usd_per_hour
        Cost by part.
    missing
        Paths of the values that nobody has published, and that are needed.
    total, known
        All parts, None if one is not known; and the parts that are known, at least so
        much.
    device_power_w, power_w
        Devices; and the building: hosts, racks and cooling with it.
    output_token_j
        Energy of devices over tokens of answers.
    output_tokens_per_j, tokens_per_j
        Tokens of answers, and those of prompts with them, over the energy of devices.
    output_tokens_per_s_per_mw
        Tokens of answers per second and megawatt of devices.
    facility_output_tokens_per_j
        Tokens of answers over the energy of the building.
    """

    parts_usd_per_hour: dict[str, Range | None]
    missing: tuple[str, ...]
    total: Shared
    known: Shared
    device_power_w: Range | None
    power_w: Range | None
    output_token_j: Range | None
    output_tokens_per_j: Range | None
    tokens_per_j: Range | None
    output_tokens_per_s_per_mw: Range | None
    facility_output_tokens_per_j: Range | None


class _Hours(NamedTuple):
    """What the hours of a facility ask for; None where nothing is known."""

    written_off: Range | None
    energy_usd_per_w: Range | None
    pue: Range | None
    utilisation: Range | None


def cost_of(load: Load, costs: CostSpec, hardware: str | None = None) -> Cost:
    """Return the cost of a load.

    Parameters
    ----------
    load
        What is served, and what its chips draw.
    costs
        Prices and power.
    hardware
        Name of the hardware in `costs`; that of the load's machine if None.

    Raises
    ------
    SpecError
        If there is no such hardware.
    """
    name = hardware or costs.hardware_of(load.machine)
    if name is None:
        none = dict.fromkeys(("devices", "hosts", "racks", "electricity"))
        return _cost(load, none, (f"hardware of machine {load.machine}",), None, None)
    if name not in costs.hardware:
        raise SpecError(
            f"hardware {name!r} has no prices; {nearest(name, costs.hardware)}"
        )
    prices = _Prices(costs, name)
    counts = prices.counts(load.chips)
    hours = prices.hours()
    own_w = _device_w(load, prices, hours.utilisation)
    powers = {
        "devices": own_w,
        "hosts": _times(prices.range("host_w"), counts["host"]),
        "racks": _times(prices.range("rack_w"), counts["rack"]),
    }
    rent = prices.costs.range_of(f"hardware.{name}.device_hour_usd")
    if (
        rent is not None
        and prices.costs.range_of(f"hardware.{name}.device_usd") is None
    ):
        parts: dict[str, Range | None] = {"rent": _times(rent, load.chips)}
    else:
        parts = {
            f"{part}s": _over(
                _times(prices.range(f"{part}_usd"), counts[part]), hours.written_off
            )
            for part in ("device", "host", "rack")
        }
        for part, watts in powers.items():
            parts[f"{part} electricity"] = _product(watts, hours.energy_usd_per_w)
    facility_w = _product(_sum(powers.values()), hours.pue)
    return _cost(
        load, parts, tuple(prices.missing), (own_w, facility_w), hours.utilisation
    )


def purchase_usd(costs: CostSpec, hardware: str, devices: int) -> Range | None:
    """Return what so many devices cost to buy, hosts and racks not counted.

    None if their price is not published.

    Raises
    ------
    SpecError
        If there is no such hardware.
    """
    return _times(costs.range_of(f"hardware.{hardware}.device_usd"), devices)


class _Prices:
    """Prices of some hardware; remembers what was asked for and is not published."""

    def __init__(self, costs: CostSpec, name: str) -> None:
        self.costs, self._name = costs, name
        self.missing: list[str] = []

    def range(self, value: str) -> Range | None:
        """Return the range of a value of the hardware."""
        return self._asked(f"hardware.{self._name}.{value}")

    def counts(self, devices: int) -> dict[str, int]:
        """Return how many devices, hosts and racks there are."""
        of = self.costs.hardware[self._name]
        return {
            "device": devices,
            "host": ceil_div(devices, of.devices_per_host),
            "rack": ceil_div(devices, of.devices_per_rack),
        }

    def hours(self) -> _Hours:
        """Return what the hours of the facility ask for."""
        pue = self._asked("facility.pue")
        price = self._asked("facility.electricity_usd_per_kwh")
        per_w = _product(price, pue)
        return _Hours(
            _times(self._asked("facility.years"), HOURS_PER_YEAR),
            _times(per_w, 1 / _W_PER_KW),
            pue,
            self._asked("facility.utilisation"),
        )

    def _asked(self, path: str) -> Range | None:
        """Return the range of a value, and remember it if it is not published."""
        found = self.costs.range_of(path)
        if found is None and path not in self.missing:
            self.missing.append(path)
        return found


def _device_w(load: Load, prices: _Prices, utilisation: Range | None) -> Range | None:
    """Return the mean power of the devices of a load, over all hours."""
    name = "device_w"
    working, idle = load.average_power_w, load.idle_power_w
    if working is None or idle is None:
        return _times(prices.range(name), load.chips)
    if utilisation is None:
        return None
    low, high = (idle + (working - idle) * share for share in utilisation)
    return Range(low, high)


def _cost(
    load: Load,
    parts: dict[str, Range | None],
    missing: tuple[str, ...],
    powers: tuple[Range | None, Range | None] | None,
    utilisation: Range | None,
) -> Cost:
    """Return the cost of a load from its parts per hour."""
    device_w, facility_w = powers or (None, None)
    known = [part for part in parts.values() if part is not None]
    output = _times(utilisation, load.output_tokens_per_s)
    tokens = _times(utilisation, load.output_tokens_per_s + load.input_tokens_per_s)
    per_j = _over(output, device_w)
    return Cost(
        parts_usd_per_hour=parts,
        missing=missing,
        total=_shared(load, _sum(parts.values()), utilisation),
        known=_shared(load, _sum(known) if known else None, utilisation),
        device_power_w=device_w,
        power_w=facility_w,
        output_token_j=_over(device_w, output),
        output_tokens_per_j=per_j,
        tokens_per_j=_over(tokens, device_w),
        output_tokens_per_s_per_mw=_times(per_j, _MILLION),
        facility_output_tokens_per_j=_over(output, facility_w),
    )


def _shared(load: Load, hourly: Range | None, utilisation: Range | None) -> Shared:
    """Return a cost per hour shared out over the tokens and users of a load."""
    served = _over(hourly, utilisation)
    share = load.input_share

    def each(part: float | None, per_s: float) -> Range | None:
        if not part or not per_s:
            return None
        return _times(served, part * _MILLION / (per_s * _SECONDS_PER_HOUR))

    return Shared(
        usd_per_hour=hourly,
        input_usd_per_m_tokens=each(share, load.input_tokens_per_s),
        output_usd_per_m_tokens=each(
            1.0 if share is None else 1 - share, load.output_tokens_per_s
        ),
        usd_per_user_hour=_times(served, 1 / load.users) if load.users else None,
    )


def _sum(parts: Iterable[Range | None]) -> Range | None:
    """Return the sum of ranges, None if one is not known."""
    low = high = 0.0
    for part in parts:
        if part is None:
            return None
        low, high = low + part.low, high + part.high
    return Range(low, high)


def _times(value: Range | None, factor: float) -> Range | None:
    """Return a range times a number that is not negative."""
    return None if value is None else Range(value.low * factor, value.high * factor)


def _product(one: Range | None, other: Range | None) -> Range | None:
    """Return the product of two ranges of numbers that are not negative."""
    if one is None or other is None:
        return None
    return Range(one.low * other.low, one.high * other.high)


def _over(one: Range | None, other: Range | None) -> Range | None:
    """Return a range over a range of positive numbers."""
    if one is None or other is None or not other.low:
        return None
    return Range(one.low / other.high, one.high / other.low)
