"""Latent attention: the sizes of multi-head latent attention (MLA).

Keys and values of all heads are products of one small vector of each position, the
latent, which is all that the KV cache keeps beside one rotated key for all heads [1]_.

References
----------
.. [1] DeepSeek-AI, "DeepSeek-V2: A Strong, Economical, and Efficient Mixture-of-Experts
   Language Model", arXiv:2405.04434, section 2.1.
"""

from typing import final

from pydantic import Field

from specs.validation import Spec


@final
class LatentAttention(Spec):
    """Sizes of latent attention, in elements.

    Parameters
    ----------
    query_rank
        Latent of the queries; None if they are projected from the hidden size at once.
    kv_rank
        Latent of keys and values, which is cached.
    rotary_dim
        Rotated elements of a query head, and of the one key that all heads share.
    plain_dim
        Elements of a query or key head that are not rotated.
    value_dim
        Elements of a value head.
    """

    query_rank: int | None = Field(default=None, gt=0)
    kv_rank: int = Field(gt=0)
    rotary_dim: int = Field(gt=0, multiple_of=2)
    plain_dim: int = Field(gt=0)
    value_dim: int = Field(gt=0)

    @property
    def head_dim(self) -> int:
        """Return the elements of a query head: plain ones, then rotated ones."""
        return self.plain_dim + self.rotary_dim

    @property
    def cached_size(self) -> int:
        """Return the elements that the KV cache has of a position in a layer."""
        return self.kv_rank + self.rotary_dim

    @property
    def expanded_dim(self) -> int:
        """Return the elements of a head that follow from the latent: key and value."""
        return self.plain_dim + self.value_dim

    def weights(self, hidden_size: int, heads: int) -> int:
        """Return the weight count of one layer's projections.

        Parameters
        ----------
        hidden_size, heads
            Width of the residual stream, and number of heads.
        """
        queries = heads * self.head_dim
        if self.query_rank is None:
            query = hidden_size * queries
        else:
            query = self.query_rank * (hidden_size + queries)
        latent = hidden_size * self.cached_size
        up = self.kv_rank * heads * self.expanded_dim
        return query + latent + up + heads * self.value_dim * hidden_size

    @property
    def norm_weights(self) -> int:
        """Return the parameter count of the norms of one layer's latents."""
        return (self.query_rank or 0) + self.kv_rank
