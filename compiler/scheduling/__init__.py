"""compiler.scheduling."""
