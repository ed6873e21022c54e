"""A device cloud on this machine: an authority, identities and a broker, each kept as desired."""
