"""Whether steering makes text more personal, and how strongly it should."""
