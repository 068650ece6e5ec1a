"""Blocks of a layer in a configuration: their order, and the key/value heads."""

from specs.block_order import BlockOrder
from specs.config_values import Config
from specs.errors import SpecError


def block_order_of(config: Config) -> BlockOrder:
    """Return the order of a model spec's blocks, as a config states it.

    Parameters
    ----------
    config
        The configuration.

    Raises
    ------
    SpecError
        If a decoder of the newer kind is said to have blocks one behind the other, or
        other than one norm or two.
    """
    family = config.family
    if not config.keys("parallel_blocks"):
        return family.block_order
    parallel = config.flag("parallel_blocks")
    if not config.flag("newer_decoder"):
        return family.block_order if parallel else BlockOrder.SEQUENTIAL
    key, norms = config.value("parallel_norms")
    if not parallel or norms not in (None, 1, 2):
        name = config.keys("newer_decoder")[0]
        wrong, value = (key, norms) if parallel else config.value("parallel_blocks")
        raise SpecError(
            f"{config.origin}: {wrong} = {value!r} beside {name} is not modelled; "
            "blocks are parallel there, behind one norm or two"
        )
    return BlockOrder.ONE_NORM if norms == 1 else BlockOrder.PARALLEL


def kv_heads_of(config: Config, heads: int) -> int:
    """Return the key/value heads of a model spec.

    Parameters
    ----------
    config
        The configuration.
    heads
        Query heads: null means multi-head attention, a key and value head for each.
    """
    if config.flag("single_kv_head") and not config.flag("newer_decoder"):
        return 1
    return config.size("kv_heads", heads, if_null=heads)
