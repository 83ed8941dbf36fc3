"""What each model reads: the conversation, and for the local model the private context with it."""
