"""Routers, activations and candidates: functions of the feed-forward and the head.

Each function takes the operator, its operands in order and the rows of the iteration,
and returns the results in order.
"""

from collections.abc import Sequence

import numpy as np

from workloads.attributes import (
    ActivateAttributes,
    CandidateAttributes,
    ChoiceAttributes,
)
from workloads.operators import GraphOperator, TokenRows
from workloads.reference.activations import Array, activation
from workloads.reference.residual_stream import Results
from workloads.reference.routing import expert_weights


def router(_: GraphOperator, operands: Sequence[Array], __: TokenRows) -> Results:
    """Evaluate (reference): the score of each expert, before the factor of the norm."""
    weighed, *matrices = operands
    return (weighed @ np.vstack(matrices).T,)


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
    found, squares, *vectors = operands
    logits = found / np.sqrt(squares / attributes.columns + attributes.epsilon)
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
    if attributes.chosen:
        (choice,) = rest
        columns = activated.shape[1] // attributes.experts
        activated = activated * np.repeat(choice, columns, axis=1)
    return (activated,)


def candidate(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): the largest logit of each row, and its number."""
    (logits,) = operands
    attributes = operator.attributes_as(CandidateAttributes)
    cap = attributes.soft_cap
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
