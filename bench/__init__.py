"""The project's measurements: the demo, its data, timing, and the rivals to compare with."""
