"""Models in this process: the local model's two contexts, the engine that runs them, their weights."""
