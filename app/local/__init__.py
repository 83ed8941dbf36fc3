"""The small model with its two prompts: in this process, by the engine and the weights, or on a server."""
