"""Pydantic schemas of requests and responses; requests are validated strictly, unknown keys rejected."""
