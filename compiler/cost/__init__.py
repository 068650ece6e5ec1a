"""compiler.cost."""
