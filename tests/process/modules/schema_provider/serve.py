"""Serves the provider hashicorp/aws as far as its schema goes, for checks without the provider.

    python serve.py SOCKET

A program of its own: the messages are called as those of our own provider, and one process can
know only one of the two.
"""

import importlib
import json
import signal
import sys
import tempfile
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from grpc_tools import protoc

HERE = Path(__file__).parent
_MESSAGE_BYTES = 64 << 20


def main() -> None:
    """Serve until standard input ends."""
    socket = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
        failed = protoc.main(["protoc", f"-I{HERE}", *outputs, "provider.proto"])
        if failed:
            sys.exit(failed)
        sys.path.insert(0, folder)
        wire: Any = importlib.import_module("provider_pb2")
        calls: Any = importlib.import_module("provider_pb2_grpc")
    schema = json.loads((HERE / "aws_schema.json").read_text())

    class Provider(calls.ProviderServicer):
        def GetProviderSchema(self, request: Any, context: Any) -> Any:
            return wire.GetProviderSchema.Response(
                provider=_schema(wire, schema["provider"]),
                resource_schemas={k: _schema(wire, v) for k, v in schema["resource"].items()},
                data_source_schemas={k: _schema(wire, v) for k, v in schema["data"].items()},
            )

        def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
            return wire.Validation.Response()

        def _checked(self, request: Any, context: Any) -> Any:
            return wire.Checked.Response()

        ValidateResourceConfig = ValidateDataResourceConfig = ConfigureProvider = _checked

        def StopProvider(self, request: Any, context: Any) -> Any:
            return wire.Stop.Response()

    server = grpc.server(
        futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", _MESSAGE_BYTES)]
    )
    calls.add_ProviderServicer_to_server(Provider(), server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("ready", flush=True)  # noqa: T201 - what the test waits for
    sys.stdin.read()
    server.stop(0)


def _schema(wire: Any, block: dict[str, Any]) -> Any:
    return wire.Schema(block=_block(wire, block))


def _block(wire: Any, block: dict[str, Any]) -> Any:
    return wire.Schema.Block(
        attributes=[
            wire.Schema.Attribute(
                name=name,
                type=json.dumps(found["type"]).encode(),
                required=found.get("required", False),
                optional=found.get("optional", False),
                computed=found.get("computed", False),
                sensitive=found.get("sensitive", False),
            )
            for name, found in block["attributes"].items()
        ],
        block_types=[
            wire.Schema.NestedBlock(
                type_name=name,
                block=_block(wire, found),
                nesting=wire.Schema.NestedBlock.NestingMode.Value(found["nesting_mode"].upper()),
                min_items=found.get("min_items", 0),
                max_items=found.get("max_items", 0),
            )
            for name, found in block["block_types"].items()
        ],
    )


if __name__ == "__main__":
    main()
