"""HTTP: what clients send and are sent."""
