"""The checks of all that CoSteer needs, each with what fixes a problem; they change nothing."""
