from experiments.cost.equal_servers import (
    equal_power_servers,
    equal_price_servers,
    server_step_law,
    server_tdp_w,
)
from specs.cost import load_costs


def test_gpu_servers_of_equal_power_follow_from_thermal_design_power() -> None:
    assert server_step_law().devices == 8
    assert server_tdp_w() == 8 * 700
    # 576 chips of 215 W draw 123.8 kW.
    assert equal_power_servers(576) == 22


def test_gpu_servers_of_equal_price_follow_from_the_price_of_a_card() -> None:
    # 576 cards at 500 $ cost as much as one server of 8 x 24,875 $, at 20,000 $ as 58.
    assert equal_price_servers(576, load_costs()) == (1, 58)
    dear = {"hardware.groqrack.device_usd": 24_875}
    assert equal_price_servers(576, load_costs().with_values(dear)) == (72, 72)
