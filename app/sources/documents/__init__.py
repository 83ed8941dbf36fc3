"""Readers of documents, one kind of file each: texts, office documents, pages."""
