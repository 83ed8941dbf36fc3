"""What a reply may say of what a person has stored: which words are guarded, filled in or not read at all."""
