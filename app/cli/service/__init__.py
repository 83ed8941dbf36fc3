"""`costeer service`: has the system start the server with the person's session."""
