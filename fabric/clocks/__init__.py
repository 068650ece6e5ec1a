"""fabric.clocks."""
