"""fabric.results."""
