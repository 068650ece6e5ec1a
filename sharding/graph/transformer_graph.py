"""Operator graph of a language model: one decode token, or one pass of an encoder.

The operators are those of `sharding.partition.block_operators` on a single chip, with
the shapes of their tensors. Positions and sequences that are computed together are the
rows of activations; each head is a matrix of its own. The graph takes the KV cache as
filled and does not show what a token adds to it.
"""

from typing import final

from sharding.graph.block_graph import BlockGraph
from specs.graph import Lookup, Matmul, Role, Vector
from specs.machine import FormatsSpec
from specs.model import ModelSpec
from specs.workload import Workload


def workload_of(
    model: ModelSpec, formats: FormatsSpec, *, context: int, batch: int = 1
) -> Workload:
    """Return the operator graph of one iteration of a model.

    Parameters
    ----------
    model
        A decoder, which computes a token of each sequence, or an encoder, which
        computes whole sequences.
    formats
        Number formats, of which the graph fixes only that of the KV cache.
    context
        Positions in the KV cache; for an encoder, the length of a sequence.
    batch
        Sequences that advance together.
    """
    graph = _TransformerGraph(model, formats, context, batch)
    residual = graph.embedding()
    for layer in range(model.layers):
        residual = graph.attention(layer, residual)
        residual = graph.feed_forward(layer, residual)
    if model.structure.encoder:
        graph.pooler(residual)
    else:
        graph.head(residual)
    return Workload(model.name, tuple(graph.tensors), tuple(graph.operators))


@final
class _TransformerGraph(BlockGraph):
    """Builder of the operator graph of a whole model."""

    def embedding(self) -> str:
        """Add the lookup of all tokens and return the residual stream."""
        model = self.model
        tables = [self.weights("embedding", model.vocabulary_size, model.hidden_size)]
        for name, rows in (
            ("positions", model.position_rows),
            ("token_types", model.token_types),
        ):
            if rows:
                tables.append(self.weights(name, rows, model.hidden_size))
        embedded = self.hidden("embedded")
        lookup = Lookup(name="embed", tables=tuple(tables), output=embedded)
        self.operators.append(lookup)
        if not tables[1:]:
            return embedded
        return self.vector(
            "add_position", (embedded,), self.hidden("placed"), len(tables) - 1
        )

    def attention(self, layer: int, residual: str) -> str:
        """Add the attention of a layer and return the residual stream after it."""
        model, at = self.model, f"{layer}.attention"
        heads, size = model.kv_heads * self.batch, model.head_dim
        group = model.attention_heads // model.kv_heads
        attended = model.attended_tokens(layer, self.context)
        width = model.query_size + 2 * model.kv_size
        normed = self.normed(at, residual)
        qkv = self.tensor(f"{at}.qkv", self.tokens, width)
        self.matmul(f"{at}.qkv", normed, (model.hidden_size, width), qkv)
        rows = group * self.positions
        queries = self.tensor(f"{at}.queries", rows, size, matrices=heads)
        kept = Role.ACTIVATION if model.structure.encoder else Role.STATE
        keys, values = (
            self.tensor(
                f"{at}.{name}",
                *shape,
                matrices=heads,
                role=kept,
                stored=self.cached,
            )
            for name, shape in (
                ("keys", (size, attended)),
                ("values", (attended, size)),
            )
        )
        made = (queries, keys, values) if model.structure.encoder else (queries,)
        self._place_heads(at, qkv, made)
        scores = self.tensor(f"{at}.scores", rows, attended, matrices=heads)
        shares = self.tensor(f"{at}.shares", rows, attended, matrices=heads)
        mixed = self.tensor(f"{at}.mixed", self.tokens, model.query_size)
        self.operators += [
            Matmul(name=f"{at}.scores", left=(queries,), right=keys, output=scores),
            Vector(
                name=f"{at}.softmax",
                inputs=(scores,),
                outputs=(shares,),
                operations=4,
                passes=3,
            ),
            Matmul(name=f"{at}.values", left=(shares,), right=values, output=mixed),
        ]
        back = self.hidden(f"{at}.back")
        shape = (model.query_size, model.hidden_size)
        self.matmul(f"{at}.output", mixed, shape, back)
        return self.reduced(at, back, residual, biases=model.output_biases)

    def feed_forward(self, layer: int, residual: str) -> str:
        """Add the feed-forward of a layer and return the residual stream after it."""
        model, at = self.model, f"{layer}.feed_forward"
        used, hidden, size = (
            model.experts_per_token,
            model.hidden_size,
            model.intermediate_size,
        )
        several = model.experts > 1
        weighed = self.hidden(f"{at}.normed")
        self.vector(f"{at}.norm", (residual, *self.norm(f"{at}.norm")), weighed, 3)
        chosen: tuple[str, ...] = ()
        if several:
            chosen = (self.tensor(f"{at}.scores", self.tokens, model.experts),)
            shape = (hidden, model.experts)
            self.matmul(f"{at}.router", weighed, shape, chosen[0])
        normed = self.vector(f"{at}.scale", (weighed,), self.hidden(f"{at}.input"), 2)
        if several:
            choice = self.tensor(f"{at}.choice", self.tokens, model.experts)
            self.vector(f"{at}.choose", chosen, choice, 4, passes=2)
            chosen = (choice,)
        width = model.projections_in * size
        inward = self.tensor(f"{at}.inward", self.tokens * used, width)
        name = f"{at}.{'gate_up' if model.structure.gated else 'up'}"
        self._experts_product(name, normed, (hidden, width), inward, used)
        biases = model.feed_forward_biases
        own = [self.weights(f"{name}.bias", model.experts, width)] if biases else []
        activated = self.tensor(f"{at}.activated", self.tokens * used, size)
        self.vector(
            f"{at}.activate",
            (inward, *chosen, *own),
            activated,
            6,
            elements=self.tokens * used * size,
        )
        back = self.tensor(f"{at}.back", self.tokens * used, hidden)
        self._experts_product(f"{at}.down", activated, (size, hidden), back, 1)
        return self.reduced(at, back, residual, biases=biases, rows=model.experts)

    def head(self, residual: str) -> None:
        """Add a decoder's head, up to the choice of the next token of each sequence."""
        model = self.model
        rows = model.vocabulary_size
        normed = self.normed("head", residual)
        logits = self.tensor("logits", self.tokens, rows)
        self.matmul("logits", normed, (model.hidden_size, rows), logits)
        candidates = self.tensor("candidates", self.tokens, 1)
        token = self.tensor("token", self.tokens, 1, role=Role.OUTPUT)
        self.vector("candidate", (logits,), candidates, 2, passes=2)
        self.vector("sample", (candidates,), token, 4, passes=2)

    def pooler(self, residual: str) -> None:
        """Add an encoder's head: the norm of all states, and the pool of the first."""
        hidden, batch = self.model.hidden_size, self.batch
        normed = self.hidden("head.normed")
        self.vector("head.norm", (residual, *self.norm("head.norm")), normed, 3)
        states = self.tensor("states", self.tokens, hidden, role=Role.OUTPUT)
        self.vector("head.scale", (normed,), states, 2)
        first = self.tensor("first", batch, hidden)
        elements = batch * hidden
        self.vector("scale_first", (normed,), first, 2, elements=elements)
        pooled = self.tensor("pooled", batch, hidden)
        self.matmul("pool", first, (hidden, hidden), pooled)
        output = self.tensor("output", batch, hidden, role=Role.OUTPUT)
        bias = self.weights("pool.bias", 1, hidden)
        self.vector("activate", (pooled, bias), output, 7, elements=elements)

    def _place_heads(self, at: str, qkv: str, made: tuple[str, ...]) -> None:
        """Add the vector operators on queries, keys and values before the scores."""
        model = self.model
        placed = model.query_size + model.kv_size
        bias = int(model.qkv_biases)
        if model.structure.head_norms:
            weights = [
                self.weights(f"{at}.{name}", 1, model.head_dim)
                for name in ("query_norm", "key_norm")
            ]
            normed = self.tensor(
                f"{at}.head_normed", self.tokens, placed + model.kv_size
            )
            elements = placed * self.tokens
            self.vector(
                f"{at}.head_norm", (qkv, *weights), normed, 3, elements=elements
            )
            qkv = normed
        width = placed + model.kv_size
        own = (self.weights(f"{at}.qkv.bias", 1, width),) if bias else ()
        if model.structure.learned_positions:
            last = Vector(
                name=f"{at}.qkv_bias",
                inputs=(qkv, *own),
                outputs=made,
                elements=width * self.tokens,
            )
        else:
            last = Vector(
                name=f"{at}.rotary",
                inputs=(qkv, *own),
                outputs=made,
                operations=6 + bias,
                elements=(placed + bias * model.kv_size) * self.tokens,
            )
        if not model.structure.head_norms:
            self.operators.append(last)
            return
        turned = self.tensor(f"{at}.turned", self.tokens, placed)
        elements = placed * self.tokens
        self.operators += [
            last.model_copy(update={"outputs": (turned,)}),
            Vector(
                name=f"{at}.head_scale",
                inputs=(turned,),
                outputs=made,
                operations=2,
                elements=elements,
            ),
        ]

    def _experts_product(
        self, name: str, left: str, shape: tuple[int, int], output: str, used: int
    ) -> None:
        """Add a product with a weight matrix for each expert."""
        experts = self.model.experts
        chosen = used if experts > 1 else None
        self.matmul(name, left, shape, output, matrices=experts, chosen=chosen)
