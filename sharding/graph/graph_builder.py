"""A graph of operators in the making: each call adds a tensor or an operator."""

from specs.formats import Format
from specs.graph import Matmul, Operator, Role, Tensor, Vector


class GraphBuilder:
    """Tensors and operators in the order in which they were added."""

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
        """Add a tensor; return its name."""
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
        """Add weights; return their name."""
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
        """Add a vector operator; return the name of what it makes."""
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
        """Add a product, and the weights of `shape` that it installs."""
        right = self.weights(f"{name}.weight", *shape, matrices=matrices)
        self.operators.append(
            Matmul(name=name, left=(left,), right=right, output=output, chosen=chosen)
        )
