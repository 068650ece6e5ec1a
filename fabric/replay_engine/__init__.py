"""fabric.replay_engine."""
