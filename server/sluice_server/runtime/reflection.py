"""Server reflection that finds methods and shows comments.

grpcio's own reflection serves descriptors from the pool, which has dropped the comments, and does not find a method by
its name. This one serves the descriptor set that ``make gen`` builds with source info.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from importlib import resources
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha import reflection_pb2_grpc

from sluice_server.api.interceptors import Pipeline

SERVICE_NAME = "grpc.reflection.v1alpha.ServerReflection"
STABLE_SERVICE_NAME = "grpc.reflection.v1.ServerReflection"
"""The same messages under the name that newer clients try first."""


def contract_descriptors() -> FileDescriptorSet:
    """The contract with its comments, as ``make gen`` built it."""
    data = resources.files("sluice_server.api").joinpath("descriptors.binpb").read_bytes()
    return FileDescriptorSet.FromString(data)


class Reflection(reflection_pb2_grpc.ServerReflectionServicer):  # type: ignore[misc]
    """Answers from ``descriptors``; files that it lacks (health, well-known types) come from the default pool."""

    def __init__(self, service_names: Sequence[str], descriptors: FileDescriptorSet) -> None:
        self._services = sorted({*service_names, SERVICE_NAME})
        self._files = {file.name: file for file in descriptors.file}
        for service in self._services:
            if not any(service in _symbols(file) for file in self._files.values()):
                self._add_from_pool(descriptor_pool.Default().FindFileContainingSymbol(service))
        # So that grpcurl can show the details of errors.
        self._add_from_pool(error_details_pb2.DESCRIPTOR)
        self._add_from_pool(status_pb2.DESCRIPTOR)
        self._file_of_symbol = {symbol: file.name for file in self._files.values() for symbol in _symbols(file)}

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        """Answers each question on the stream, in order."""
        async for request in request_iterator:
            answer = self._answer(request)
            answer.valid_host = request.host
            answer.original_request.CopyFrom(request)
            yield answer

    def _answer(self, request: Any) -> Any:
        match request.WhichOneof("message_request"):
            case "list_services":
                services = [pb.ServiceResponse(name=name) for name in self._services]
                return pb.ServerReflectionResponse(list_services_response=pb.ListServiceResponse(service=services))
            case "file_by_filename":
                return self._file(request.file_by_filename)
            case "file_containing_symbol":
                return self._file(self._file_of_symbol.get(request.file_containing_symbol.removeprefix(".")))
            case "all_extension_numbers_of_type" if request.all_extension_numbers_of_type in self._file_of_symbol:
                # The contract has no extensions.
                numbers = pb.ExtensionNumberResponse(base_type_name=request.all_extension_numbers_of_type)
                return pb.ServerReflectionResponse(all_extension_numbers_response=numbers)
            case "file_containing_extension" | "all_extension_numbers_of_type":
                return _error(grpc.StatusCode.NOT_FOUND, "there is no such extension")
            case _:
                return _error(grpc.StatusCode.INVALID_ARGUMENT, "the request asks nothing")

    def _file(self, name: str | None) -> Any:
        if name is None or name not in self._files:
            return _error(grpc.StatusCode.NOT_FOUND, "there is no such file or symbol; list the services to see them")
        wanted: dict[str, bytes] = {}
        self._collect(name, wanted)
        files = pb.FileDescriptorResponse(file_descriptor_proto=wanted.values())
        return pb.ServerReflectionResponse(file_descriptor_response=files)

    def _collect(self, name: str, into: dict[str, bytes]) -> None:
        if name not in into:
            into[name] = self._files[name].SerializeToString()
            for dependency in self._files[name].dependency:
                self._collect(dependency, into)

    def _add_from_pool(self, file: Any) -> None:
        if file.name not in self._files:
            proto = FileDescriptorProto()
            file.CopyToProto(proto)
            self._files[file.name] = proto
            for dependency in file.dependencies:
                self._add_from_pool(dependency)


def add_reflection(server: Pipeline, service_names: Sequence[str]) -> None:
    """Serves reflection for the named services, under both of its names."""
    servicer = Reflection(service_names, contract_descriptors())
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=pb.ServerReflectionRequest.FromString,
        response_serializer=pb.ServerReflectionResponse.SerializeToString,
    )
    stable = grpc.method_handlers_generic_handler(STABLE_SERVICE_NAME, {"ServerReflectionInfo": handler})
    server.add_generic_rpc_handlers((stable,))


def _symbols(file: FileDescriptorProto) -> set[str]:
    """Every name that the file defines: messages, fields, enums and their values, services, methods."""
    names: set[str] = set()
    scope = f"{file.package}." if file.package else ""
    for message in file.message_type:
        names.update(_in_message(scope, message))
    names.update(_in_enums(scope, file.enum_type))
    for service in file.service:
        names.add(f"{scope}{service.name}")
        names.update(f"{scope}{service.name}.{method.name}" for method in service.method)
    return names


def _in_message(scope: str, message: DescriptorProto) -> Iterator[str]:
    name = f"{scope}{message.name}"
    yield name
    yield from (f"{name}.{field.name}" for field in message.field)
    yield from (f"{name}.{oneof.name}" for oneof in message.oneof_decl)
    yield from _in_enums(f"{name}.", message.enum_type)
    for nested in message.nested_type:
        yield from _in_message(f"{name}.", nested)


def _in_enums(scope: str, enums: Iterable[EnumDescriptorProto]) -> Iterator[str]:
    for enum in enums:
        yield f"{scope}{enum.name}"
        # Values stand beside their enum, as in C++.
        yield from (f"{scope}{value.name}" for value in enum.value)


def _error(code: grpc.StatusCode, text: str) -> Any:
    error = pb.ErrorResponse(error_code=code.value[0], error_message=text)
    return pb.ServerReflectionResponse(error_response=error)
