"""The arithmetic: from both models' log-probabilities to a token. Pure numbers."""
