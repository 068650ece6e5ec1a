"""Sharded operators: work, values and exchanges of each chip of a tensor group.

operators: ShardedOperator, Compute, Exchange, Unit, Pattern, compute, nothing
operands: Operand, Operation, operand, shards
operator_builders: MatrixParts, StoredMatrices, stored_matrices, matrix_product,
    vector
"""
