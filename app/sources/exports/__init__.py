"""Readers of what other programs export: chats, and tables."""
