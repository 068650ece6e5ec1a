"""compiler.routing."""
