"""Energy of a compiled program, and the idle power of a chip; above all that compiles.

operation_energy: OperationEnergy, operator_energy, vector_energy, wire_energy
program_energy: ProgramEnergy, program_energy
full_load: FullLoad, full_load, idle_chip_w
standing_power: StandingPower, standing_power
token_energy: TokenEnergy, token_energy, least_dynamic_j
"""
