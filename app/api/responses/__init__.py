"""Responses in the format of OpenAI's Responses API."""
