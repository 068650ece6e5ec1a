"""fabric.links."""
