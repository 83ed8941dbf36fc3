"""Chat completion responses in OpenAI's format."""
