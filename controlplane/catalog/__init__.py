"""Facts about parts, board models and components, as data with sources, and their loader."""
