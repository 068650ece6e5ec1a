"""A language model as a workload: the operators of a token, or of an encoder's pass.

The operators are those of `sharding.operators.block_operators` on a single chip, with
the shapes of what they work on. Positions and sequences that are computed together are
the rows of activations; heads are matrices of their own. What a token adds to the KV
cache is not shown: the cache is taken as filled.
"""

from typing import final

from sharding.graph.graph_builder import GraphBuilder
from specs.formats import Format
from specs.graph import Lookup, Matmul, Role, Vector
from specs.machine import FormatsSpec
from specs.model import ModelSpec
from specs.workload import Workload


def workload_of(
    model: ModelSpec, formats: FormatsSpec, *, context: int, batch: int = 1
) -> Workload:
    """Return the graph of one iteration of a model.

    Parameters
    ----------
    model
        A decoder, which makes a token for each sequence, or an encoder, which computes
        whole sequences.
    formats
        Format of the KV cache; those of weights and activations stay the machine's.
    context
        Positions in the KV cache; the length of a sequence for an encoder.
    batch
        Sequences that advance together.
    """
    graph = _Graph(model, formats, context, batch)
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
class _Graph(GraphBuilder):
    """The graph of a model in the making."""

    def __init__(
        self, model: ModelSpec, formats: FormatsSpec, context: int, batch: int
    ) -> None:
        super().__init__()
        self._model = model
        self._cached: Format | None = formats.kv_cache
        self._context = context
        self._batch = batch
        self._positions = 1
        if model.structure.encoder:
            self._cached, self._positions = None, context
        self._tokens = batch * self._positions

    def embedding(self) -> str:
        """Add the look-up of all tokens; return the residual stream."""
        model = self._model
        tables = [self.weights("embedding", model.vocabulary_size, model.hidden_size)]
        for name, rows in (
            ("positions", model.position_rows),
            ("token_types", model.token_types),
        ):
            if rows:
                tables.append(self.weights(name, rows, model.hidden_size))
        found = self._hidden("embedded")
        self.operators.append(Lookup(name="embed", tables=tuple(tables), output=found))
        if not tables[1:]:
            return found
        return self.vector(
            "add_position", (found,), self._hidden("placed"), len(tables) - 1
        )

    def attention(self, layer: int, residual: str) -> str:
        """Add the attention of a layer; return the residual stream after it."""
        model, at = self._model, f"{layer}.attention"
        heads, size = model.kv_heads * self._batch, model.head_dim
        group = model.attention_heads // model.kv_heads
        attended = model.attended_tokens(layer, self._context)
        width = model.query_size + 2 * model.kv_size
        normed = self._normed(at, residual)
        qkv = self.tensor(f"{at}.qkv", self._tokens, width)
        self.matmul(f"{at}.qkv", normed, (model.hidden_size, width), qkv)
        rows = group * self._positions
        queries = self.tensor(f"{at}.queries", rows, size, matrices=heads)
        kept = Role.ACTIVATION if model.structure.encoder else Role.STATE
        keys, values = (
            self.tensor(
                f"{at}.{name}",
                *shape,
                matrices=heads,
                role=kept,
                stored=self._cached,
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
        mixed = self.tensor(f"{at}.mixed", self._tokens, model.query_size)
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
        back = self._hidden(f"{at}.back")
        shape = (model.query_size, model.hidden_size)
        self.matmul(f"{at}.output", mixed, shape, back)
        return self._reduced(at, back, residual, biases=model.output_biases)

    def feed_forward(self, layer: int, residual: str) -> str:
        """Add the feed-forward of a layer; return the residual stream after it."""
        model, at = self._model, f"{layer}.feed_forward"
        used, hidden, size = (
            model.experts_per_token,
            model.hidden_size,
            model.intermediate_size,
        )
        several = model.experts > 1
        weighed = self._hidden(f"{at}.normed")
        self.vector(f"{at}.norm", (residual, *self._norm(f"{at}.norm")), weighed, 3)
        chosen: tuple[str, ...] = ()
        if several:
            chosen = (self.tensor(f"{at}.scores", self._tokens, model.experts),)
            shape = (hidden, model.experts)
            self.matmul(f"{at}.router", weighed, shape, chosen[0])
        normed = self.vector(f"{at}.scale", (weighed,), self._hidden(f"{at}.input"), 2)
        if several:
            choice = self.tensor(f"{at}.choice", self._tokens, model.experts)
            self.vector(f"{at}.choose", chosen, choice, 4, passes=2)
            chosen = (choice,)
        width = model.projections_in * size
        inward = self.tensor(f"{at}.inward", self._tokens * used, width)
        name = f"{at}.{'gate_up' if model.structure.gated else 'up'}"
        self._experts_product(name, normed, (hidden, width), inward, used)
        biases = model.feed_forward_biases
        own = [self.weights(f"{name}.bias", model.experts, width)] if biases else []
        activated = self.tensor(f"{at}.activated", self._tokens * used, size)
        self.vector(
            f"{at}.activate",
            (inward, *chosen, *own),
            activated,
            6,
            elements=self._tokens * used * size,
        )
        back = self.tensor(f"{at}.back", self._tokens * used, hidden)
        self._experts_product(f"{at}.down", activated, (size, hidden), back, 1)
        return self._reduced(at, back, residual, biases=biases, rows=model.experts)

    def head(self, residual: str) -> None:
        """Add the choice of the next token of each sequence."""
        model = self._model
        rows = model.vocabulary_size
        normed = self._normed("head", residual)
        logits = self.tensor("logits", self._tokens, rows)
        self.matmul("logits", normed, (model.hidden_size, rows), logits)
        candidates = self.tensor("candidates", self._tokens, 1)
        token = self.tensor("token", self._tokens, 1, role=Role.OUTPUT)
        self.vector("candidate", (logits,), candidates, 2, passes=2)
        self.vector("sample", (candidates,), token, 4, passes=2)

    def pooler(self, residual: str) -> None:
        """Add how an encoder ends: all states normalised, the first one pooled."""
        hidden, batch = self._model.hidden_size, self._batch
        normed = self._hidden("head.normed")
        self.vector("head.norm", (residual, *self._norm("head.norm")), normed, 3)
        states = self.tensor("states", self._tokens, hidden, role=Role.OUTPUT)
        self.vector("head.scale", (normed,), states, 2)
        first = self.tensor("first", batch, hidden)
        elements = batch * hidden
        self.vector("scale_first", (normed,), first, 2, elements=elements)
        pooled = self.tensor("pooled", batch, hidden)
        self.matmul("pool", first, (hidden, hidden), pooled)
        output = self.tensor("output", batch, hidden, role=Role.OUTPUT)
        bias = self.weights("pool.bias", 1, hidden)
        self.vector("activate", (pooled, bias), output, 7, elements=elements)

    def _normed(self, at: str, residual: str) -> str:
        """Add a norm and its scale; return the input of a block."""
        weighed = self._hidden(f"{at}.normed")
        self.vector(f"{at}.norm", (residual, *self._norm(f"{at}.norm")), weighed, 3)
        return self.vector(f"{at}.scale", (weighed,), self._hidden(f"{at}.input"), 2)

    def _norm(self, name: str) -> tuple[str, ...]:
        """Return the weights of a norm and, if it has any, its biases."""
        kinds = ("weight", "bias") if self._model.structure.layer_norms else ("weight",)
        size = self._model.hidden_size
        return tuple(self.weights(f"{name}.{kind}", 1, size) for kind in kinds)

    def _place_heads(self, at: str, qkv: str, made: tuple[str, ...]) -> None:
        """Add what happens to queries, keys and values before they meet."""
        model = self._model
        placed = model.query_size + model.kv_size
        bias = int(model.qkv_biases)
        if model.structure.head_norms:
            weights = [
                self.weights(f"{at}.{name}", 1, model.head_dim)
                for name in ("query_norm", "key_norm")
            ]
            normed = self.tensor(
                f"{at}.head_normed", self._tokens, placed + model.kv_size
            )
            elements = placed * self._tokens
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
                elements=width * self._tokens,
            )
        else:
            last = Vector(
                name=f"{at}.rotary",
                inputs=(qkv, *own),
                outputs=made,
                operations=6 + bias,
                elements=(placed + bias * model.kv_size) * self._tokens,
            )
        if not model.structure.head_norms:
            self.operators.append(last)
            return
        turned = self.tensor(f"{at}.turned", self._tokens, placed)
        elements = placed * self._tokens
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

    def _reduced(
        self, at: str, back: str, residual: str, *, biases: bool, rows: int = 1
    ) -> str:
        """Add a block's result to the residual stream; return it."""
        model = self._model
        own: tuple[str, ...] = ()
        if biases:
            own = (self.weights(f"{at}.output.bias", rows, model.hidden_size),)
        elements = self._tokens * model.hidden_size
        reduced = self._hidden(f"{at}.reduced")
        operations = 1 + biases
        inputs = (back, residual, *own)
        self.vector(f"{at}.reduce", inputs, reduced, operations, elements=elements)
        if not model.normalises_outputs:
            return reduced
        scaled, norm = self._hidden(f"{at}.scaled"), self._norm(f"{at}.post_norm")
        return self.vector(f"{at}.post_scale", (reduced, *norm), scaled, 3)

    def _hidden(self, name: str) -> str:
        return self.tensor(name, self._tokens, self._model.hidden_size)

    def _experts_product(
        self, name: str, left: str, shape: tuple[int, int], output: str, used: int
    ) -> None:
        """Add a product with weights of which each expert has its own."""
        experts = self._model.experts
        chosen = used if experts > 1 else None
        self.matmul(name, left, shape, output, matrices=experts, chosen=chosen)
