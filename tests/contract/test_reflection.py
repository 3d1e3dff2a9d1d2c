"""Reflection as grpcurl uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2 as pb

from tests.support.probe import INSURER_CONTROL, ROUTING, Probe, serving

NAMES = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]


@pytest.fixture(params=NAMES)
async def ask(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    async with serving(Probe()) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call: Any = channel.stream_stream(
            f"/{request.param}/ServerReflectionInfo",
            request_serializer=pb.ServerReflectionRequest.SerializeToString,
            response_deserializer=pb.ServerReflectionResponse.FromString,
        )

        async def ask_one(**question: str) -> Any:
            (answer,) = [answer async for answer in call([pb.ServerReflectionRequest(**question)])]
            return answer

        yield ask_one


async def test_it_lists_the_services(ask: Any) -> None:
    answer = await ask(list_services="")
    names = {service.name for service in answer.list_services_response.service}
    assert names == {ROUTING, INSURER_CONTROL, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


@pytest.mark.parametrize(
    "symbol",
    [
        INSURER_CONTROL,
        f"{INSURER_CONTROL}.CutTraffic",
        "sluice.insurer.v1.CutTrafficRequest",
        "sluice.insurer.v1.CutTrafficRequest.reason",
        "sluice.type.v1.ERROR_REASON_INTERNAL",
        "grpc.health.v1.Health.Check",
        "google.protobuf.Timestamp",
        "google.rpc.ErrorInfo",
    ],
)
async def test_it_finds_symbols_of_every_kind_with_all_that_they_need(ask: Any, symbol: str) -> None:
    answer = await ask(file_containing_symbol=symbol)
    files = [FileDescriptorProto.FromString(one) for one in answer.file_descriptor_response.file_descriptor_proto]
    pool, added = DescriptorPool(), set()

    def add(name: str) -> None:
        if name not in added:
            added.add(name)
            file = next(file for file in files if file.name == name)
            for dependency in file.dependency:
                add(dependency)
            pool.Add(file)

    for file in files:
        add(file.name)
    assert symbol.startswith(files[0].package)


async def test_it_serves_the_comments_of_methods(ask: Any) -> None:
    answer = await ask(file_containing_symbol=f"{INSURER_CONTROL}.CutTraffic")
    file = FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
    (service,) = file.service
    index = [method.name for method in service.method].index("CutTraffic")
    # Path of a comment: field 6 (service) 0, field 2 (method) index.
    (comment,) = [
        place.leading_comments for place in file.source_code_info.location if list(place.path) == [6, 0, 2, index]
    ]
    assert comment.strip()


@pytest.mark.parametrize("question", ["file_containing_symbol", "file_by_filename"])
async def test_it_says_what_it_does_not_have(ask: Any, question: str) -> None:
    answer = await ask(**{question: "sluice.Nothing"})
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
