"""Virtual boards: a debug target that stock tools flash, and what runs the flashed image."""
