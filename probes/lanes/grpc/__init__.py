"""The gRPC lane: grpc.aio in its four shapes, cancelled in every phase and by every cause that there is."""

from probes.lanes.grpc.lane import GrpcLane
from probes.lanes.grpc.session import GrpcSession

__all__ = ["GrpcLane", "GrpcSession"]
