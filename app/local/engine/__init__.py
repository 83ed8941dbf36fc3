"""Forward passes on this device: one model, its weights, its KV caches, and who gets the next pass."""
