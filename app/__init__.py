"""CoSteer: a local proxy that steers a remote model's reply with a small model that knows you."""

__version__ = "0.1.0"
