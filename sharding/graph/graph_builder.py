"""Construction of an operator graph: each call adds a tensor or an operator."""

from specs.formats import Format
from specs.graph import Matmul, Operator, Role, Tensor, Vector


class GraphBuilder:
    """Builder of an operator graph, with tensors and operators in order of addition.

    Attributes
    ----------
    tensors, operators
        What has been added so far.
    """

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []

    def tensor(
        self,
        name: str,
        rows: int,
        columns: int,
        *,
        matrices: int = 1,
        role: Role = Role.ACTIVATION,
        stored: Format | None = None,
    ) -> str:
        """Add a tensor and return its name.

        Parameters
        ----------
        name, rows, columns, matrices, role
            As in `specs.graph.Tensor`.
        stored
            Number format. If None, that of the machine.
        """
        self.tensors.append(
            Tensor(
                name=name,
                role=role,
                rows=rows,
                columns=columns,
                matrices=matrices,
                format=stored,
            )
        )
        return name

    def weights(self, name: str, rows: int, columns: int, *, matrices: int = 1) -> str:
        """Add a weight tensor and return its name."""
        return self.tensor(name, rows, columns, matrices=matrices, role=Role.WEIGHTS)

    def vector(
        self,
        name: str,
        inputs: tuple[str, ...],
        output: str,
        operations: int,
        *,
        passes: int = 1,
        elements: int | None = None,
    ) -> str:
        """Add a vector operator and return the name of its output."""
        self.operators.append(
            Vector(
                name=name,
                inputs=inputs,
                outputs=(output,),
                operations=operations,
                passes=passes,
                elements=elements,
            )
        )
        return output

    def matmul(
        self,
        name: str,
        left: str,
        shape: tuple[int, int],
        output: str,
        *,
        matrices: int = 1,
        chosen: int | None = None,
    ) -> None:
        """Add a product with a new weight tensor of `shape`, its rows and columns.

        Parameters
        ----------
        name, left, output
            Name of the product, and its streamed input and output tensors.
        shape
            Rows and columns of each weight matrix.
        matrices
            Weight matrices.
        chosen
            Matrices that each row of the input uses. If None, all.
        """
        right = self.weights(f"{name}.weight", *shape, matrices=matrices)
        self.operators.append(
            Matmul(name=name, left=(left,), right=right, output=output, chosen=chosen)
        )
