"""Table of functions: which array function computes each function of a dataflow."""

from collections.abc import Callable, Mapping

from chip.dataflow import Function
from fabric.functional_engine.call import Call
from fabric.functional_engine.functions.attention import (
    attended,
    combined,
    head_scaled,
    head_weighed,
    positioned,
    scores,
    softmax,
)
from fabric.functional_engine.functions.feed_forward_and_head import (
    activated,
    candidate,
    expert_scores,
    sampled,
)
from fabric.functional_engine.functions.graph_operators import (
    lookup_rows,
    matrix_product,
    paired_product,
    total,
    vector,
)
from fabric.functional_engine.functions.latent_attention import (
    absorbed,
    expanded,
    expanded_values,
    latent_attended,
    latent_normed,
    latent_positioned,
    latent_scores,
)
from fabric.functional_engine.functions.linear_attention import (
    convolved,
    decayed,
    delta_updated,
    gate_normed,
    output_gated,
    unit_normed,
)
from fabric.functional_engine.functions.products import biased, partial_sum, product
from fabric.functional_engine.functions.residual_stream import (
    added,
    added_normed,
    added_tables,
    looked_up,
    scaled,
    scaled_sum,
    weighed,
)
from fabric.functional_engine.functions.routing import chosen
from fabric.functional_engine.memory import Array

FUNCTIONS: Mapping[Function, Callable[[Call], list[Array]]] = {
    Function.LOOKUP: looked_up,
    Function.ADD_TABLES: added_tables,
    Function.NORM_WEIGH: weighed,
    Function.NORM_SCALE: scaled,
    Function.PRODUCT: product,
    Function.BIAS: biased,
    Function.HEAD_NORM: head_weighed,
    Function.POSITION: positioned,
    Function.HEAD_SCALE: head_scaled,
    Function.SCORES: scores,
    Function.SOFTMAX: softmax,
    Function.ATTEND: attended,
    Function.COMBINE: combined,
    Function.ADD: added,
    Function.NORM_ADD: added_normed,
    Function.ROUTER: expert_scores,
    Function.CHOOSE: chosen,
    Function.ACTIVATE: activated,
    Function.CANDIDATE: candidate,
    Function.SAMPLE: sampled,
    Function.SUM_SCALE: scaled_sum,
    Function.PARTIAL_SUM: partial_sum,
    Function.MATRIX_PRODUCT: matrix_product,
    Function.PAIRED_PRODUCT: paired_product,
    Function.TOTAL: total,
    Function.VECTOR: vector,
    Function.LOOKUP_ROWS: lookup_rows,
    Function.LATENT_NORM: latent_normed,
    Function.ABSORB: absorbed,
    Function.EXPAND: expanded,
    Function.EXPAND_VALUES: expanded_values,
    Function.OUTPUT_GATE: output_gated,
    Function.CONVOLVE: convolved,
    Function.UNIT_NORM: unit_normed,
    Function.DECAY: decayed,
    Function.DELTA_RULE: delta_updated,
    Function.GATED_NORM: gate_normed,
}
# What computes them where keys and values are made of latents.
LATENT_FUNCTIONS: Mapping[Function, Callable[[Call], list[Array]]] = {
    **FUNCTIONS,
    Function.POSITION: latent_positioned,
    Function.SCORES: latent_scores,
    Function.ATTEND: latent_attended,
}
