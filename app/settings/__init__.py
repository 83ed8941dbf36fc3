"""Every setting: what it is, where a .env file has it, and how to say what it takes."""
