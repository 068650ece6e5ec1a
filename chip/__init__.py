"""One tensor streaming processor: clock, counters, functional units and program.

program: Program, Instructions, Trains
clock, random_walk_clock: Clock, RandomWalkClock
hac: AlignedCounter
operator_work, operator_cycles: what an operator asks of a chip, and its cycles
functional_units, lowering: slices of a chip, and the instructions of an operator on
them mxm_tiling, matmul_cycles, tile_schedule: the matrix unit sram_occupancy: what lies
in SRAM when
"""
