"""`costeer doctor`: checks everything that CoSteer needs, says how to fix problems, and changes nothing."""
