"""The API's routes, one file for each group of paths."""
