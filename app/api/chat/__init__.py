"""A chat reply in OpenAI's shapes."""
