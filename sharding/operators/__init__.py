"""sharding.operators.block_operators."""
