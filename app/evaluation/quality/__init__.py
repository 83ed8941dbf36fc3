"""Measures whether steering makes text more personal, and which strength is best."""
