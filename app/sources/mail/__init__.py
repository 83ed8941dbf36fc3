"""Readers of mail: what the person sent."""
