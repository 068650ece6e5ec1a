"""Functional engine: executes a program with real numbers, chip by chip.

Each chip has a memory of its own. What an instruction reads must be there: made by an
earlier instruction of that chip, or brought by a message that has arrived.

executor: Executed, execute
settings: OperatorSettings
graph_settings: GraphSettings, ValueShape, natural
caches: KeyValueCaches
states: RecurrentStates
memory: ChipMemory, Piece
regions: Region, operand_regions
call: Call, Operand
events: Event, events_of
functions: what each function of a dataflow computes
"""
