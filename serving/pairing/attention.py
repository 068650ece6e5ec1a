"""Attention on devices: activations cross the link twice for each layer and token.

A device has the attention of all layers and the KV cache, the embedding and the head;
groups of chips have the feed-forwards. What crosses is the residual stream.
"""

from collections.abc import Sequence

from serving.pairing.feed_forward import FeedForward
from serving.pairing.lanes import Leg, Side
from sharding.weights.task import Task
from specs.decode_work import attention_work, head_work
from specs.formats import Format
from specs.pairing import PairingSpec


def attention_legs(
    task: Task, feed_forwards: Sequence[FeedForward], pairing: PairingSpec
) -> list[Leg]:
    """Return the legs of a token of a lane whose attention is on devices.

    The first work of the devices begins with the attention of the first layer; the
    last one is the head, which chooses the token.

    Parameters
    ----------
    task
        Model, machine, context, and the sequences of a lane as its batch.
    feed_forwards
        Those of each layer.
    pairing
        Devices and link.
    """
    model, batch = task.model, task.batch
    weights, fp8 = task.formats, task.activation_format.bytes_of(1) == 1
    crossing = task.activation_format.bytes_of(model.hidden_size * batch)
    legs = []
    for each in feed_forwards:
        work = attention_work(
            model,
            each.layer,
            context=task.context,
            batch=batch,
            weights=weights,
            kv_cache=task.cached_format,
        )
        attention_ps = pairing.device_ps(
            flop=work.flop, read_bytes=work.read_bytes, fp8=fp8
        )
        legs += [
            Leg(Side.DEVICES, attention_ps),
            Leg(Side.TO_MACHINE, crossing),
            Leg(Side.MACHINE, each.cycles, each.unit),
            Leg(Side.TO_DEVICES, crossing),
        ]
    head = head_work(model, batch=batch, weights=weights)
    head_ps = pairing.device_ps(flop=head.flop, read_bytes=head.read_bytes, fp8=fp8)
    return [*legs, Leg(Side.DEVICES, head_ps)]


def held_by_devices(task: Task, users: int) -> float:
    """Return the bytes that devices of a pairing hold: attention, head and KV caches.

    Parameters
    ----------
    task
        Model, machine and context.
    users
        Sequences of all lanes.
    """
    model = task.model
    work = [
        attention_work(
            model,
            layer,
            context=task.context,
            batch=users,
            weights=task.formats,
            kv_cache=task.cached_format,
        )
        for layer in range(model.layers)
    ]
    table = Format(task.formats.embedding.element).bytes_of(
        model.vocabulary_size * model.hidden_size
    )
    head = head_work(model, batch=users, weights=task.formats)
    return sum(each.held_bytes for each in work) + head.held_bytes + table
