"""A gRPC client that knows nothing but an address: it asks by reflection what there is, and calls what streams.

``python -m tests.kit.reflection_client HOST:PORT SECONDS``: exit status 0 when the call ended by its deadline.
"""

from __future__ import annotations

import sys

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


def find_stream(channel: grpc.Channel) -> MethodDescriptor:
    """The first method of any service that answers with a stream and takes one message."""
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    for name in sorted(database.get_services()):
        if name.startswith("grpc."):
            continue
        for method in pool.FindServiceByName(name).methods:
            if method.server_streaming and not method.client_streaming:
                return method
    raise LookupError("no service with a server stream")


def main(address: str, seconds: float) -> int:
    with grpc.insecure_channel(address) as channel:
        method = find_stream(channel)
        request = message_factory.GetMessageClass(method.input_type)(interval=0.05)
        call = channel.unary_stream(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        try:
            for _ in call(request, timeout=seconds):
                pass
        except grpc.RpcError as error:
            return 0 if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED else 1
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
