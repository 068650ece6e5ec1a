"""Meaning of the energy keys of the JSON report of a run, with their units."""

ENERGY = {
    "powered_chips": "chips with an instruction, or all if some are spares",
    "average_power_w": "power of chips and optics in this run; null: unpublished",
    "idle_power_w": "power of them with nothing to do",
    "tdp_power_w": "power of chips at their thermal design power, and of optics",
    "idle_chip_w": "power of a chip with nothing to do, derived from full load",
    "busiest_chip_w": "power of the chip that draws the most, over a period",
    "peak_operator_w": "power of a chip during the operator that draws the "
    "most, with weights loading beside it",
    "over_tdp": "whether one of these two is more than a chip's TDP",
    "energy_per_token_j": "average power / tokens of all users per second",
    "tdp_energy_per_token_j": "the same at thermal design power",
    "idle_energy_per_token_j": "part of `energy_per_token_j`: chips when idle",
    "dynamic_energy_per_token_j": "part of it: operations, the next five keys",
    "matrix_energy_per_token_j": "multiply-accumulates of the matrix unit",
    "vector_energy_per_token_j": "operations of the vector unit",
    "sram_energy_per_token_j": "bytes read from SRAM and written to it",
    "stream_energy_per_token_j": "bytes carried on the streams of chips",
    "link_energy_per_token_j": "bits sent, beyond what links take when idle",
    "chip_energy_per_token_j": "all but optics: idle and dynamic",
    "port_energy_per_token_j": "what links take when idle, within the idle part",
    "optical_energy_per_token_j": "the optics' part of `energy_per_token_j`",
    "idle_share": "part of `energy_per_token_j` that no operation takes",
}
