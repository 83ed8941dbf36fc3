"""`costeer chat`: a conversation in the terminal, with a running server or with models in this process."""
