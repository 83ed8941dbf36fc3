"""What steering costs, and what it brings."""
