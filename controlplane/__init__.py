"""The control plane: designs, builds, simulates, provisions, deploys, and remembers."""
