"""GGUF files of other programs on this machine: where they lie, what they hold, and which can be taken."""
