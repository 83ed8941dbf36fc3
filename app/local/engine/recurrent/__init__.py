"""Layers with a state: what they keep of a sequence instead of keys and values, and how it is rolled back."""
