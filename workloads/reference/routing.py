"""Weights of experts from the logits of a router, as the models' papers define them.

References
----------
.. [1] A. Q. Jiang et al., "Mixtral of Experts", arXiv:2401.04088: a softmax over the
   chosen logits.
.. [2] DeepSeek-AI, "DeepSeek-V2", arXiv:2405.04434, section 2.1.2: a softmax over all
   experts, and a choice limited to some groups of them.
.. [3] DeepSeek-AI, "DeepSeek-V3 Technical Report", arXiv:2412.19437, equations 12 to
   16: sigmoids, and a correction that takes part in the choice alone.
"""

import numpy as np

from specs.router import RouterScores, RouterSpec
from workloads.reference.activations import Array


def expert_weights(
    router: RouterSpec, logits: Array, chosen: int, correction: Array | None = None
) -> Array:
    """Evaluate (reference): the weight of each expert, 0 for those not chosen.

    Of experts with equal scores, those with the lower numbers are chosen.

    Parameters
    ----------
    router
        The router.
    logits
        Logits of experts, shape ``(rows, experts)``.
    chosen
        Experts that each row chooses.
    correction
        Number that is added to each expert's score for the choice, None without.
    """
    scores = logits
    if router.scores is RouterScores.SIGMOID:
        scores = 1 / (1 + np.exp(-logits))
    elif router.before_choice:
        scores = _softmax(logits)
    ranked = scores if correction is None else scores + correction
    if router.groups > 1:
        ranked = _within_best_groups(router, ranked)
    best = np.argsort(-ranked, axis=1, kind="stable")[:, :chosen]
    kept = np.take_along_axis(scores, best, axis=1)
    if router.scores is RouterScores.SOFTMAX and not router.before_choice:
        kept = _softmax(kept)
    if router.normalised:
        kept = kept / kept.sum(axis=1, keepdims=True)
    weights = np.zeros_like(logits)
    np.put_along_axis(weights, best, kept * router.scale, axis=1)
    return weights


def _within_best_groups(router: RouterSpec, ranked: Array) -> Array:
    """Return scores that cannot be chosen, but for those of the best groups."""
    grouped = ranked.reshape(len(ranked), router.groups, -1)
    best = np.sort(grouped, axis=2)[:, :, -router.group_best :].sum(axis=2)
    kept = np.argsort(-best, axis=1, kind="stable")[:, : router.groups_per_token]
    limited = np.full_like(grouped, -np.inf)
    for row, groups in enumerate(kept):
        limited[row, groups] = grouped[row, groups]
    return limited.reshape(ranked.shape)


def _softmax(values: Array) -> Array:
    """Return the softmax of each row."""
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
