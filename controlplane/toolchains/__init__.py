"""From a sketch to images: compilers as confined children, with structured results."""
