"""Models in this process: the local model with its two prompts, the inference engine, and the weights."""
