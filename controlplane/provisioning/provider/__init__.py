"""A Terraform provider inside the control plane: `benchline_broker` and `benchline_device`.

Terraform is told to attach to it (TF_REATTACH_PROVIDERS) over a unix socket of one operation, so
that the stack is known from the socket and not from what a configuration claims.
"""
