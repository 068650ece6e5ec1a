"""Routers, activations and candidates: functions of the feed-forward and the head.

Each function takes the operator, its operands in order and the rows of the iteration,
and returns the results in order.
"""

from collections.abc import Sequence

import numpy as np

from workloads.attributes import CandidateAttributes
from workloads.feed_forward_attributes import ActivateAttributes, ChoiceAttributes
from workloads.operators import GraphOperator, TokenRows
from workloads.reference.activations import Array, activation
from workloads.reference.residual_stream import Results
from workloads.reference.routing import expert_weights

_OF_NORM = (".norm.weight", ".norm.bias")


def router(
    operator: GraphOperator, operands: Sequence[Array], __: TokenRows
) -> Results:
    """Evaluate (reference): the score of each expert, before the factor of the norm.

    Of rows that a LayerNorm will centre, the scores of its weights and of its bias
    follow: (x - m) w f + b times a matrix is f (x w - m w) + b, each times it.
    """
    weighed, *others = operands
    count = len([name for name in operator.inputs if not name.endswith(_OF_NORM)]) - 1
    matrix = np.vstack(others[:count]).T
    scores = [np.repeat(row @ matrix, len(weighed), axis=0) for row in others[count:]]
    return (np.hstack([weighed @ matrix, *scores]),)


def choose(operator: GraphOperator, operands: Sequence[Array], _: TokenRows) -> Results:
    """Evaluate (reference): weights of experts, by the scores of normed rows.

    The last score may be that of a shared expert, whose weight is a sigmoid [1]_.

    References
    ----------
    .. [1] Qwen Team, "Qwen1.5-MoE: Matching 7B Model Performance with 1/3 Activated
       Parameters", 2024, and Qwen2MoeSparseMoeBlock of Hugging Face transformers.
    """
    attributes = operator.attributes_as(ChoiceAttributes)
    router = attributes.router
    found, sums, *vectors = operands
    means = sums / attributes.columns
    if attributes.centred:
        rows, weights, biases = np.hsplit(found, 3)
        mean, variance = means[:, :1], means[:, 1:] - means[:, :1] ** 2
        centred = rows - mean * weights
        logits = centred / np.sqrt(variance + attributes.epsilon) + biases
    else:
        logits = found / np.sqrt(means + attributes.epsilon)
    logits, shared = np.hsplit(logits, [attributes.experts])
    if router.bias:
        logits = logits + vectors.pop(0)
    correction = vectors.pop(0) if router.correction else None
    made = expert_weights(router, logits, attributes.experts_per_token, correction)
    return (made, 1 / (1 + np.exp(-shared))) if shared.size else (made,)


def activate(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): activated rows, times the weights of experts.

    A clipped gate is that of GptOssExperts in Hugging Face transformers.
    """
    attributes = operator.attributes_as(ActivateAttributes)
    count = 2 if attributes.gated else 1
    inner, rest = list(operands[:count]), list(operands[count:])
    weights = None
    if attributes.chosen:
        columns = inner[0].shape[1] // attributes.experts
        weights = np.repeat(rest.pop(), columns, axis=1)
        if attributes.weighs_inputs:
            # Products are linear: weighed rows in, weighed operands out.
            inner, weights = [rows * weights for rows in inner], None
    if attributes.biased:
        inner = [rows + rest.pop(0) for rows in inner]
    limit = attributes.limit
    if limit is not None:
        inner = [np.minimum(inner[0], limit), *np.clip(inner[1:], -limit, limit)]
    if attributes.alpha == 1:
        activated = activation(attributes.activation)(inner[0])
    else:
        activated = inner[0] / (1 + np.exp(-attributes.alpha * inner[0]))
    if attributes.gated:
        activated = activated * (inner[1] + attributes.offset)
    return (activated if weights is None else activated * weights,)


def candidate(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): the largest logit of each row, and its number."""
    attributes = operator.attributes_as(CandidateAttributes)
    logits, cap = operands[0], attributes.soft_cap
    if attributes.biased:
        logits = logits + operands[1]
    number = np.argmax(logits, axis=1)
    # What follows grows with the logit, so it changes the value and not the choice.
    largest = np.max(logits, axis=1) / logits.dtype.type(attributes.divisor)
    if cap is not None:
        largest = cap * np.tanh(largest / cap)
    return (np.column_stack([largest, number]).astype(logits.dtype),)


def sample(_: GraphOperator, operands: Sequence[Array], __: TokenRows) -> Results:
    """Evaluate (reference): the token, the number of each row's candidate."""
    (candidates,) = operands
    return (candidates[:, 1:],)
