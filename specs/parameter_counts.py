"""Parameter counts of a transformer, by its shape."""

from collections import Counter

from specs.formats import Format
from specs.transformer_shape import TransformerShape


class CountedTransformer(TransformerShape):
    """Transformer shape with its parameter counts, whole and by parts of a layer."""

    @property
    def norm_parameters(self) -> int:
        """Return the parameter count of one normalisation of the residual stream."""
        biased = self.structure.layer_norms and self.structure.norm_biases
        return self.hidden_size * (2 if biased else 1)

    @property
    def attention_parameters(self) -> int:
        """Return the weight count of the attention projections of a layer that attends.

        Layers of linear attention have others; see `attention_parameters_in`.
        """
        if self.latent is not None:
            return self.latent.weights(self.hidden_size, self.attention_heads)
        gates = self.structure.output_gates * self.query_size
        return self.hidden_size * (2 * (self.query_size + self.kv_size) + gates)

    def attention_parameters_in(self, layer: int) -> int:
        """Return the weight count of the attention projections of `layer`."""
        if self.linear is not None and self.is_linear(layer):
            return self.linear.weights(self.hidden_size)
        return self.attention_parameters

    @property
    def attention_vector_parameters(self) -> int:
        """Return the count of attention biases and norms of a layer that attends."""
        if self.latent is not None:
            return self.latent.norm_weights
        qkv = self.qkv_biases * (self.query_size + 2 * self.kv_size)
        head_norms = self.structure.head_norms * 2 * self.head_dim
        if self.structure.whole_head_norms:
            head_norms = self.query_size + self.kv_size
        sinks = self.structure.sinks * self.attention_heads
        return qkv + self.output_biases * self.hidden_size + head_norms + sinks

    @property
    def all_attention_parameters(self) -> int:
        """Return the weight count of the attention projections of all layers."""
        return sum(map(self.attention_parameters_in, range(self.layers)))

    @property
    def _all_attention_vectors(self) -> int:
        """Return the count of biases, norms and convolutions of attention."""
        attend = self.attending_layers
        linear = self.linear.vector_weights if self.linear is not None else 0
        return attend * self.attention_vector_parameters + linear * (
            self.layers - attend
        )

    @property
    def projections_in(self) -> int:
        """Return the number of projections into a feed-forward: up, and gate if any."""
        return 2 if self.structure.gated else 1

    def feed_forward_parameters_in(self, layer: int) -> int:
        """Return the weight count of the experts of `layer` and of their router."""
        projections, experts = self.projections_in + 1, self.experts_in(layer)
        inner = experts * self.inner_size(layer) + self.shared_size(layer)
        routed = experts if self.has_experts(layer) else 0
        routed += self.shared_expert_gate * (self.shared_size(layer) > 0)
        return self.hidden_size * (projections * inner + routed)

    def used_feed_forward_parameters_in(self, layer: int, experts: int) -> int:
        """Return the weight count of `layer` that is read if so many experts are used.

        The shared expert is always used, and so is the router.
        """
        unused = self.experts_in(layer) - min(experts, self.experts_in(layer))
        expert = (self.projections_in + 1) * self.hidden_size * self.inner_size(layer)
        return self.feed_forward_parameters_in(layer) - unused * expert

    def feed_forward_vectors_in(self, layer: int) -> int:
        """Return the count of biases, and of a router's correction, of `layer`."""
        experts = self.experts_in(layer)
        router = experts * self.router.vectors if self.has_experts(layer) else 0
        if not self.feed_forward_biases:
            return router
        one = self.projections_in * self.inner_size(layer) + self.hidden_size
        return experts * one + router

    @property
    def feed_forward_parameters(self) -> int:
        """Return the weight count of the largest feed-forward of a layer."""
        return max(
            self.feed_forward_parameters_in(layer) for layer in self._kinds_of_layers()
        )

    @property
    def feed_forward_vector_parameters(self) -> int:
        """Return the largest count of biases of a layer's feed-forward."""
        return max(
            self.feed_forward_vectors_in(layer) for layer in self._kinds_of_layers()
        )

    def _kinds_of_layers(self) -> Counter[int]:
        """Return the layers whose feed-forwards differ, and how many are like each."""
        return Counter(map(self.feed_forward_like, range(self.layers)))

    @property
    def embedding_rows(self) -> int:
        """Return the number of rows of all embedding tables."""
        return self.vocabulary_size + self.position_rows + self.token_types

    @property
    def head_rows(self) -> int:
        """Return the output size of the head: logits, or an encoder's pooled state."""
        return self.hidden_size if self.structure.encoder else self.vocabulary_size

    @property
    def head_parameters(self) -> int:
        """Return the parameter count of the head alone, or of an encoder's pooler.

        A tied head has no parameters of its own but for a bias.
        """
        if self.structure.encoder:
            return self.hidden_size * (self.hidden_size + 1)
        own = not self.tied_embeddings
        return self.vocabulary_size * (own * self.hidden_size + self.head_biases)

    @property
    def parameters(self) -> int:
        """Return the parameter count of the model; a tied embedding counts once."""
        norms = self.layers * self.norms_per_layer * self.norm_parameters
        feed_forwards = sum(
            count
            * (
                self.feed_forward_parameters_in(number)
                + self.feed_forward_vectors_in(number)
            )
            for number, count in self._kinds_of_layers().items()
        )
        return (
            self.all_attention_parameters
            + self._all_attention_vectors
            + norms
            + feed_forwards
            + (1 + self.structure.normed_embedding) * self.norm_parameters
            + self.embedding_rows * self.hidden_size
            + self.head_parameters
        )

    @property
    def active_parameters(self) -> int:
        """Return the parameters that one token uses: of experts those it chooses."""
        idle = 0
        for layer, count in self._kinds_of_layers().items():
            used = self.used_feed_forward_parameters_in(layer, self.experts_per_token)
            idle += count * (self.feed_forward_parameters_in(layer) - used)
            if self.feed_forward_biases:
                one = self.projections_in * self.inner_size(layer) + self.hidden_size
                experts = self.experts_in(layer)
                idle += count * (experts - min(experts, self.experts_per_token)) * one
        return self.parameters - idle

    @property
    def kv_elements(self) -> int:
        """Return the elements that a position adds to the KV cache; 0 of an encoder."""
        if self.structure.encoder:
            return 0
        return self.attending_layers * self.cached_size

    def state_bytes(self, activations: Format) -> int:
        """Return the bytes that linear attention keeps of a sequence of any length.

        Parameters
        ----------
        activations
            Format of what convolutions keep of earlier tokens.
        """
        if self.linear is None:
            return 0
        layers = self.layers - self.attending_layers
        return layers * self.linear.state_bytes(activations)
