"""Tokens, bytes and text, and how two vocabularies are aligned."""
