"""Running the control plane: logs, identity, secrets."""
