"""topologies.io."""
