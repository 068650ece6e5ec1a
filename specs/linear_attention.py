"""Linear attention: the sizes of a gated delta rule, which keeps a state, not a cache.

Each value head has a matrix that each token decays, corrects by what it recalls of its
key, and reads by its query [1]_. Before it, queries, keys and values are mixed with
those of the last few tokens by a causal convolution.

References
----------
.. [1] S. Yang, J. Kautz and A. Hatamizadeh, "Gated Delta Networks: Improving Mamba2
   with Delta Rule", arXiv:2412.06464, equation 10.
"""

from typing import Self, final

from pydantic import Field, model_validator

from specs.formats import Format
from specs.validation import Spec

# States add up what all tokens wrote; their format is not that of a cache.
STATE_FORMAT = Format.FP32


@final
class LinearAttention(Spec):
    """Sizes of linear attention by a gated delta rule.

    Parameters
    ----------
    key_heads, value_heads
        Heads of queries and keys, and of values; each key head serves as many.
    key_dim, value_dim
        Elements of a query or key head, and of a value head.
    kernel
        Tokens that the causal convolution mixes, the newest included.
    """

    key_heads: int = Field(gt=0)
    value_heads: int = Field(gt=0)
    key_dim: int = Field(gt=0)
    value_dim: int = Field(gt=0)
    kernel: int = Field(gt=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.value_heads % self.key_heads:
            raise ValueError(
                f"{self.value_heads} value heads cannot share {self.key_heads} key "
                "heads of linear attention evenly"
            )
        return self

    @property
    def sharing(self) -> int:
        """Return the value heads that share a key head."""
        return self.value_heads // self.key_heads

    @property
    def key_size(self) -> int:
        """Return the elements of all keys of a token, the same as of all queries."""
        return self.key_heads * self.key_dim

    @property
    def value_size(self) -> int:
        """Return the elements of all values of a token."""
        return self.value_heads * self.value_dim

    @property
    def convolved_size(self) -> int:
        """Return the channels of the convolution: queries, keys and values."""
        return 2 * self.key_size + self.value_size

    @property
    def state_elements(self) -> int:
        """Return the elements of the matrices of all value heads of a sequence."""
        return self.value_size * self.key_dim

    @property
    def tail_elements(self) -> int:
        """Return the elements of earlier tokens that the convolution still needs."""
        return (self.kernel - 1) * self.convolved_size

    def state_bytes(self, activations: Format) -> int:
        """Return the bytes that a layer keeps of a sequence, whatever its length.

        Parameters
        ----------
        activations
            Format of what the convolution keeps of earlier tokens.
        """
        tail = activations.bytes_of(self.tail_elements)
        return STATE_FORMAT.bytes_of(self.state_elements) + tail

    def weights(self, hidden_size: int) -> int:
        """Return the weight count of one layer's projections.

        They are of queries, keys, values and an output gate of their size; of two
        numbers for each value head; and back to the `hidden_size` of the residual.
        """
        inward = self.convolved_size + self.value_size + 2 * self.value_heads
        return hidden_size * (inward + self.value_size)

    @property
    def vector_weights(self) -> int:
        """Return the parameter count of what no product multiplies in one layer.

        It is the convolution, a rate and a bias of the decay of each value head, and
        the norm of a value head.
        """
        convolution = self.kernel * self.convolved_size
        return convolution + 2 * self.value_heads + self.value_dim
