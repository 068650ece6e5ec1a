"""compiler.rules."""
