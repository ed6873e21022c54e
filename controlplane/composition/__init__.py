"""How the parts of the control plane are put together; only here are concrete adapters named."""
