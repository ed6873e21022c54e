"""The contract between the programs: wire messages, errors, names and the scenario language."""

import os

__version__ = "0.1.0"

# All our programs start children. gRPC's fork handlers restart its threads in the child before
# exec, where they can crash it; nothing of gRPC is ever used in a child. The variable is read when
# grpc is imported, and every program imports this package first.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
