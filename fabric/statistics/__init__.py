"""fabric.statistics."""
