"""Choice of experts: from the sums of their scores to the weight of each."""

import numpy as np

from fabric.functional_engine.call import Call
from fabric.functional_engine.memory import Array
from specs.router import RouterScores, RouterSpec

_CORRECTION = ".router_correction.bias"


def chosen(call: Call) -> list[Array]:
    """Execute: the weight of each expert for each row, 0 for those not chosen.

    A second result is the weight of a shared expert, whose score is the last.
    """
    router = call.settings.router
    logits = _logits(call)
    logits, shared = np.hsplit(logits, [call.settings.experts])
    offset = np.zeros(logits.shape[1], dtype=logits.dtype)
    for vector in call.weights:
        if vector.name.endswith(_CORRECTION):
            offset = vector.array
        else:
            logits = logits + vector.array
    if router.scores is RouterScores.SPARSEMIXER:
        return [_one_by_one(router, logits, call.settings.experts_per_token)]
    scores = _scores(router, logits)
    ranked = scores + offset
    # Elements of groups that a row does not choose from lose against all others.
    ranked = np.where(_reached(router, ranked), ranked, -np.inf)
    # Of experts with equal scores, those with the lower numbers are chosen.
    order = np.argsort(-ranked, axis=1, kind="stable")
    best = order[:, : call.settings.experts_per_token]
    mask = np.zeros(logits.shape, dtype=bool)
    np.put_along_axis(mask, best, values=True, axis=1)
    choice = np.where(mask, scores, 0)
    if _over_chosen(router):
        choice = _softmax(np.where(mask, logits, -np.inf))
    if router.normalised:
        choice = choice / choice.sum(axis=1, keepdims=True)
    made = [(choice * choice.dtype.type(router.scale)).astype(logits.dtype)]
    return [*made, _sigmoid(shared)] if shared.size else made


def _logits(call: Call) -> Array:
    """Return the scores of rows after their norm.

    Behind a LayerNorm, the scores of its weights and of its bias are beside them.
    """
    found, sums = call.reads
    means = sums.array / sums.array.dtype.type(sums.parts)
    if not call.settings.centred:
        return np.asarray(found.array / np.sqrt(means + call.settings.epsilon))
    rows, weights, biases = np.split(found.array, 3, axis=1)
    mean = means[:, :1]
    deviation = np.sqrt(means[:, 1:] - mean * mean + call.settings.epsilon)
    return np.asarray((rows - mean * weights) / deviation + biases)


def _one_by_one(router: RouterSpec, logits: Array, count: int) -> Array:
    """Return weights of experts, each a share among those near the best of the rest."""
    choice, left = np.zeros_like(logits), np.ones(logits.shape, dtype=bool)
    for _ in range(count):
        rest = np.where(left, logits, -np.inf)
        top = rest.max(axis=1, keepdims=True)
        near = top - logits <= router.tolerance * np.maximum(np.abs(logits), top)
        shares = _softmax(np.where(near, rest, -np.inf))
        taken = np.zeros(logits.shape, dtype=bool)
        np.put_along_axis(taken, rest.argmax(axis=1)[:, None], values=True, axis=1)
        choice = np.where(taken, shares * router.scale, choice)
        left &= ~taken
    return choice.astype(logits.dtype)


def _over_chosen(router: RouterSpec) -> bool:
    """Return whether scores are a softmax over the chosen experts alone."""
    return router.scores is RouterScores.SOFTMAX and not router.before_choice


def _scores(router: RouterSpec, logits: Array) -> Array:
    """Return what experts are chosen by."""
    if _over_chosen(router):
        return logits
    if router.scores is RouterScores.SOFTMAX:
        return _softmax(logits)
    return _sigmoid(logits)


def _sigmoid(logits: Array) -> Array:
    """Return the sigmoid of each logit."""
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))


def _reached(router: RouterSpec, ranked: Array) -> Array:
    """Return which experts are in the groups that a row chooses from."""
    rows, experts = ranked.shape
    if router.groups == 1:
        return np.ones(ranked.shape, dtype=bool)
    size = experts // router.groups
    ordered = -np.sort(-ranked.reshape(rows, router.groups, size), axis=2)
    value = ordered[:, :, : router.group_best].sum(axis=2)
    place = np.argsort(np.argsort(-value, axis=1, kind="stable"), axis=1)
    return np.repeat(place < router.groups_per_token, size, axis=1)


def _softmax(values: Array) -> Array:
    """Return the softmax of each row; minus infinity has no share."""
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
