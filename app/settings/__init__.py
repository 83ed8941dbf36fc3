"""The settings: their schema, the lines of a .env file, and descriptions of the values they accept."""
