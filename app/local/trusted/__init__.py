"""The small model on a server in the person's own house or firm: the one server that reads private text."""
