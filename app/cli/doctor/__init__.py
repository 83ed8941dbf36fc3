"""`costeer doctor`: looks at what a working CoSteer needs, says what mends it, and changes nothing."""
