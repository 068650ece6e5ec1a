"""One tensor streaming processor: functional units, operators, memory and program.

program: Program, Instructions, Trains
dataflow, element_numbering: what instructions read, make and send, and how it counts
deskew: half_epoch_cycles
operator_work, operator_cycles: the work of an operator on a chip, and its cycles
mxm_tiling, product_rounds: tiles of a product, and when rounds of them multiply
functional_units, slice_instructions: slices of a chip and their instructions
lowering, product_lowering: the instructions of an operator
sram_occupancy: the contents of SRAM over time
"""
