"""Weights of experts from the logits of a router, as the models' papers define them.

References
----------
.. [1] A. Q. Jiang et al., "Mixtral of Experts", arXiv:2401.04088: a softmax over the
   chosen logits.
.. [2] DeepSeek-AI, "DeepSeek-V2", arXiv:2405.04434, section 2.1.2: a softmax over all
   experts, and a choice limited to some groups of them.
.. [3] DeepSeek-AI, "DeepSeek-V3 Technical Report", arXiv:2412.19437, equations 12 to
   16: sigmoids, and a correction that takes part in the choice alone.
.. [4] L. Liu et al., "GRIN: GRadient-INformed MoE", arXiv:2409.12136, and `sparsemixer`
   of Hugging Face transformers: expert after expert, each with its share among those
   that are near the best of the rest.
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
    if router.scores is RouterScores.SPARSEMIXER:
        return _expert_after_expert(router, logits, chosen)
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


def _expert_after_expert(router: RouterSpec, logits: Array, chosen: int) -> Array:
    """Return weights of experts that are chosen one after the other."""
    weights, rest = np.zeros_like(logits), logits.copy()
    rows = np.arange(len(logits))
    for _ in range(chosen):
        best = np.argmax(rest, axis=1)
        top = rest[rows, best][:, None]
        far = (top - logits) / np.maximum(np.abs(logits), top) > router.tolerance
        shares = _softmax(np.where(far, -np.inf, rest))
        weights[rows, best] = shares[rows, best] * router.scale
        rest[rows, best] = -np.inf
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
