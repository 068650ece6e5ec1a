"""compiler.ir."""
