"""compiler.bounds."""
