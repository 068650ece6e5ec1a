"""Construction of transformer blocks: norms, and the residual stream between blocks."""

from sharding.graph.graph_builder import GraphBuilder
from specs.formats import Format
from specs.machine import FormatsSpec
from specs.model import ModelSpec


class BlockGraph(GraphBuilder):
    """Builder of an operator graph with what all blocks of a model share.

    Attributes
    ----------
    model, context, batch
        The model, its positions and its sequences.
    cached
        Number format of keys and values, None for an encoder's.
    positions, tokens
        Positions that are computed together, of one sequence and of all.
    """

    def __init__(
        self, model: ModelSpec, formats: FormatsSpec, context: int, batch: int
    ) -> None:
        super().__init__()
        self.model = model
        self.cached: Format | None = formats.kv_cache
        self.context = context
        self.batch = batch
        self.positions = 1
        if model.structure.encoder:
            self.cached, self.positions = None, context
        self.tokens = batch * self.positions

    def normed(self, at: str, residual: str) -> str:
        """Add a norm and its scale, and return the input of the block `at`."""
        weighed = self.hidden(f"{at}.normed")
        self.vector(f"{at}.norm", (residual, *self.norm(f"{at}.norm")), weighed, 3)
        return self.vector(f"{at}.scale", (weighed,), self.hidden(f"{at}.input"), 2)

    def norm(self, name: str) -> tuple[str, ...]:
        """Add the weight and, if it has one, the bias of a norm; return the names."""
        kinds = ("weight", "bias") if self.model.structure.layer_norms else ("weight",)
        size = self.model.hidden_size
        return tuple(self.weights(f"{name}.{kind}", 1, size) for kind in kinds)

    def reduced(
        self, at: str, back: str, residual: str, *, biases: bool, rows: int = 1
    ) -> str:
        """Add a block's result to the residual stream and return the sum.

        Parameters
        ----------
        at
            Name of the block.
        back, residual
            Result of the block, and the residual stream before it.
        biases
            Whether the result has a bias.
        rows
            Rows of the bias, one for each expert.
        """
        model = self.model
        own: tuple[str, ...] = ()
        if biases:
            own = (self.weights(f"{at}.output.bias", rows, model.hidden_size),)
        elements = self.tokens * model.hidden_size
        reduced = self.hidden(f"{at}.reduced")
        operations = 1 + biases
        inputs = (back, residual, *own)
        self.vector(f"{at}.reduce", inputs, reduced, operations, elements=elements)
        if not model.normalises_outputs:
            return reduced
        scaled, norm = self.hidden(f"{at}.scaled"), self.norm(f"{at}.post_norm")
        return self.vector(f"{at}.post_scale", (reduced, *norm), scaled, 3)

    def hidden(self, name: str) -> str:
        """Add an activation of the hidden size and return its name."""
        return self.tensor(name, self.tokens, self.model.hidden_size)
