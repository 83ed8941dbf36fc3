"""The inference engine on this device: one model, its weights, its KV caches and its scheduler."""
