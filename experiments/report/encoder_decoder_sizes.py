"""Sizes of encoder-decoders before they are planned, and what each needs."""

from functools import lru_cache

from experiments.report.model_sizes import ModelSizes
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_memory import workload_memory
from specs.encoder_decoders.pass_names import PassName
from specs.encoder_decoders.shape import EncoderDecoder
from specs.graph import Role
from specs.machine import MachineSpec
from specs.units import ceil_div
from workloads.encoder_decoders.pass_graph import graph_of_model
from workloads.graphs.workload import Workload


@lru_cache(maxsize=16)
def encoder_decoder_sizes(model: EncoderDecoder, machine: MachineSpec) -> ModelSizes:
    """Return the sizes of an encoder-decoder for a report.

    The chips are those of the pass that needs more of them, at as many positions as
    the model has. Splits of passes that no chip alone holds are not searched. What is
    kept of a sequence are the cross keys and values of its longest input.
    """
    formats = machine.formats
    passes = [
        graph_of_model(model, PassName(model.name, stack, None, None))
        for stack in ("encoder", "decoder")
    ]
    room = machine.chip.sram_bytes - machine.chip.program_reserve_bytes
    held = [
        sum(
            (
                formats.plain_weights
                if tensor.role is Role.WEIGHTS
                else formats.activations
            ).bytes_of(tensor.elements)
            for tensor in each.tensors
            if tensor.role in (Role.WEIGHTS, Role.STATE)
        )
        for each in passes
    ]
    least = ceil_div(max(held), room)
    alone = least == 1 and all(
        workload_memory(
            Workload(each.name, each.tensors, each.operators),
            machine,
            Grid(column=1, row=1),
        ).total.max()
        <= machine.chip.sram_bytes
        for each in passes
    )
    return ModelSizes(
        model=model,
        weight_bytes=formats.plain_weights.bytes_of(model.parameters),
        kv_bytes_per_position=formats.activations.bytes_of(model.kv_elements),
        state_bytes_per_sequence=formats.activations.bytes_of(model.cross_elements),
        fewest_chips=1 if alone else None,
        least_chips=least if alone or least > 1 else least + 1,
        searched=alone,
    )
