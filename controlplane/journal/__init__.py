"""Facts of sessions and deployments, numbered without gaps."""
