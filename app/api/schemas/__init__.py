"""The wire: what clients send and are sent, in JSON and in files; checked strictly, unknown keys refused."""
