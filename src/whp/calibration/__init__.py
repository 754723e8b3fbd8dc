"""The error rates of whp itself: simulated claims whose truth is known, through the real decision code."""
