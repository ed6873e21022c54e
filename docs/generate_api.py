"""Write docs/api.md from the comments of the protos. Run through `make docs`."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from grpc_tools import protoc

_ROOT = Path(__file__).resolve().parent.parent
_PROTO = _ROOT / "proto"
_HEAD = """# API

Generated from the comments in `proto/benchline/v1` by `make docs`. Package `benchline.v1`.

Every call needs the local socket of the instance (`benchline up --json` prints the target).
Failed calls carry `google.rpc.ErrorInfo` with a stable reason; [errors.md](errors.md) lists them.
The server answers reflection (`grpc.reflection.v1alpha`) and health (`grpc.health.v1`) requests.
Example clients: [Python](examples/python/run_session.py) and [Node](examples/node/run_session.mjs);
stages on their own: [build and simulate](examples/python/build_and_simulate.py).
"""
_SCALARS = {
    Field.TYPE_DOUBLE: "double",
    Field.TYPE_INT64: "int64",
    Field.TYPE_UINT64: "uint64",
    Field.TYPE_INT32: "int32",
    Field.TYPE_BOOL: "bool",
    Field.TYPE_STRING: "string",
    Field.TYPE_BYTES: "bytes",
    Field.TYPE_UINT32: "uint32",
}

Comments = dict[tuple[int, ...], str]


def api_markdown() -> str:
    """The whole page."""
    pages = [_HEAD]
    for file in _files():
        comments: Comments = {
            tuple(location.path): " ".join(location.leading_comments.split())
            for location in file.source_code_info.location
            if location.leading_comments
        }
        pages.append(f"## {file.name.removeprefix('benchline/v1/')}\n")
        pages.append(comments.get((2,), "") + "\n")
        pages.extend(_services(file, comments))
        pages.extend(_messages(file.message_type, comments, (4,), ""))
        pages.extend(_enums(file.enum_type, comments, (5,), ""))
    return "\n".join(pages)


def _files() -> list[descriptor_pb2.FileDescriptorProto]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "api.pb"
        sources = sorted(str(p.relative_to(_PROTO)) for p in _PROTO.glob("benchline/v1/*.proto"))
        include = Path(protoc.__file__).parent / "_proto"
        arguments = ["protoc", f"-I{_PROTO}", f"-I{include}", "--include_source_info"]
        if protoc.main([*arguments, f"--descriptor_set_out={out}", *sources]) != 0:
            sys.exit("protoc failed")
        return list(descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file)


def _services(file: descriptor_pb2.FileDescriptorProto, comments: Comments) -> Iterator[str]:
    for number, service in enumerate(file.service):
        yield f"### {service.name}\n"
        yield comments.get((6, number), "") + "\n"
        yield "| call | request | response | |\n| --- | --- | --- | --- |"
        for index, method in enumerate(service.method):
            request = ("stream " if method.client_streaming else "") + _link(method.input_type)
            answer = ("stream " if method.server_streaming else "") + _link(method.output_type)
            text = comments.get((6, number, 2, index), "")
            yield f"| `{method.name}` | {request} | {answer} | {_cell(text)} |"
        yield ""


def _messages(
    messages: "list[descriptor_pb2.DescriptorProto]",
    comments: Comments,
    path: tuple[int, ...],
    outer: str,
) -> Iterator[str]:
    for number, message in enumerate(messages):
        here, name = (*path, number), f"{outer}{message.name}"
        yield f"### {name}\n"
        yield comments.get(here, "") + "\n"
        if message.field:
            yield "| field | type | |\n| --- | --- | --- |"
        for index, field in enumerate(message.field):
            kind = _SCALARS.get(field.type) or _link(field.type_name)
            many = "repeated " if field.label == Field.LABEL_REPEATED else ""
            text = comments.get((*here, 2, index), "")
            yield f"| `{field.name}` = {field.number} | {many}{kind} | {_cell(text)} |"
        yield ""
        yield from _enums(message.enum_type, comments, (*here, 4), f"{name}.")


def _enums(
    enums: "list[descriptor_pb2.EnumDescriptorProto]",
    comments: Comments,
    path: tuple[int, ...],
    outer: str,
) -> Iterator[str]:
    for number, enum in enumerate(enums):
        here = (*path, number)
        yield f"### {outer}{enum.name}\n"
        yield comments.get(here, "") + "\n"
        yield "| value | |\n| --- | --- |"
        for index, value in enumerate(enum.value):
            text = comments.get((*here, 2, index), "")
            yield f"| `{value.name}` = {value.number} | {_cell(text)} |"
        yield ""


def _link(type_name: str) -> str:
    name = type_name.removeprefix(".benchline.v1.").removeprefix(".")
    if type_name.startswith(".benchline.v1."):
        return f"[{name}](#{name.lower().replace('.', '')})"
    return f"`{name}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    (_ROOT / "docs" / "api.md").write_text(api_markdown(), "utf-8")
