"""Measures what steering costs (speed) and what it brings (quality)."""
