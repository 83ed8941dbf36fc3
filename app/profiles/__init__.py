"""People: their profiles and histories, the files they come in, and the database that keeps them."""
