"""The contract between the clients under test and the servers: names on the wire, one gRPC service.

The service is described at run time (descriptor_pb2), so there is no generated code whose version has to
match the installed grpcio, and reflection works all the same.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

RUN_HEADER = "x-cancelloscope-run"
LANE_HEADER = "x-cancelloscope-lane"
"""A request says which run and lane it belongs to, so that the tap and the server can attribute what they
see from the wire itself. A connection without these is a guest's."""

BUDGET_HEADER = "x-cancelloscope-budget-ms"
"""What is left of its caller's deadline, for a hop over HTTP, which has no header of its own for that."""

SQL_TAG = "cancelloscope run={run} lane={lane}"
"""The same in a comment at the start of a statement: ``/* cancelloscope run=7 lane=postgres */``."""

PACKAGE = "cancelloscope.v1"
SERVICE = f"{PACKAGE}.Slow"
UNARY = f"/{SERVICE}/Unary"
SERVER_STREAM = f"/{SERVICE}/ServerStream"
CLIENT_STREAM = f"/{SERVICE}/ClientStream"
BIDI = f"/{SERVICE}/Bidi"

_METHODS = (("Unary", False, False), ("ServerStream", False, True), ("ClientStream", True, False), ("Bidi", True, True))
"""Name, whether the client streams, whether the server does."""

# Request parameters, the same names for gRPC fields and HTTP query keys.
# delay: seconds before the first byte; chunks, size (bytes), interval (seconds) describe the stream; linger: seconds
# between the last chunk and the end. Of a client's stream the first message carries them, each may carry data, and the
# last one says end: to a handler that reads, a cancel looks like the end of the stream, which therefore needs a mark.
_FIELDS = (
    ("delay", descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE),
    ("chunks", descriptor_pb2.FieldDescriptorProto.TYPE_INT32),
    ("size", descriptor_pb2.FieldDescriptorProto.TYPE_INT32),
    ("interval", descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE),
    ("behaviour", descriptor_pb2.FieldDescriptorProto.TYPE_STRING),
    ("linger", descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE),
    ("data", descriptor_pb2.FieldDescriptorProto.TYPE_BYTES),
    ("end", descriptor_pb2.FieldDescriptorProto.TYPE_BOOL),
)


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="cancelloscope/v1/slow.proto", package=PACKAGE, syntax="proto3")
    request = file.message_type.add(name="SlowRequest")
    for number, (name, kind) in enumerate(_FIELDS, start=1):
        request.field.add(name=name, number=number, type=kind, label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
    chunk = file.message_type.add(name="Chunk")
    for number, (name, kind) in enumerate(
        (
            ("index", descriptor_pb2.FieldDescriptorProto.TYPE_INT32),
            ("data", descriptor_pb2.FieldDescriptorProto.TYPE_BYTES),
        ),
        start=1,
    ):
        chunk.field.add(name=name, number=number, type=kind, label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
    service = file.service.add(name="Slow")
    for method, client_streams, server_streams in _METHODS:
        service.method.add(
            name=method,
            input_type=f".{PACKAGE}.SlowRequest",
            output_type=f".{PACKAGE}.Chunk",
            client_streaming=client_streams,
            server_streaming=server_streams,
        )
    return file


_pool = descriptor_pool.Default()
_pool.Add(_file())

SlowRequest: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.SlowRequest"))
Chunk: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.Chunk"))
