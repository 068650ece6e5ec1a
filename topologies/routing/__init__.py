"""topologies.routing."""
