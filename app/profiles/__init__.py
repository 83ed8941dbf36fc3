"""Profiles and their history: the types, the file formats, and the SQLite database that stores them."""
