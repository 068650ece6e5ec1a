"""fabric.reactive.network."""
