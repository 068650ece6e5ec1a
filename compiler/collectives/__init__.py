"""compiler.collectives."""
