"""What a profile could say, proposed from its history: facts and preferences, each with its passage."""
