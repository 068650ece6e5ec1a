"""fabric.runtime."""
