"""The part of `weaviate_stub` that goes by gRPC: a servicer of the client's own stubs."""

import struct
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from weaviate.proto.v1 import (
    aggregate_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)
from weaviate_stub import Refused, Weaviate


class Servicer(weaviate_pb2_grpc.WeaviateServicer):
    def __init__(self, stub: Weaviate) -> None:
        self.stub = stub

    def Search(self, request: Any, context: Any) -> Any:
        return answered(context, lambda: self.search(request))

    def BatchObjects(self, request: Any, context: Any) -> Any:
        return answered(context, lambda: self.batch(request))

    def BatchDelete(self, request: Any, context: Any) -> Any:
        return answered(context, lambda: self.delete(request))

    def Aggregate(self, request: Any, context: Any) -> Any:
        return answered(context, lambda: self.aggregate(request))

    def search(self, request: Any) -> Any:
        name = request.collection
        rows = self.stub.matching(name, filters(request))
        if request.limit + request.offset > 10_000:
            raise Refused("query maximum results exceeded")
        if request.HasField("near_vector"):
            found = self.stub.measured(name, rows, vector(request.near_vector))
        else:
            key = request.sort_by[0].path[0] if request.sort_by else "name"
            order = sorted(rows, key=lambda id: rows[id]["properties"][key])
            found = [(0.0, id) for id in order]
        found = found[: request.limit]
        results = [result(request, id, rows[id], away) for away, id in found]
        return search_get_pb2.SearchReply(results=results)

    def batch(self, request: Any) -> Any:
        name, errors, good = request.objects[0].collection, [], {}
        for at, one in enumerate(request.objects):
            given = vector(one)
            if any(len(row["vector"]) != len(given) for row in self.stub.rows[name].values()):
                message = "new node has a vector with another length"
                errors.append(batch_pb2.BatchObjectsReply.BatchError(index=at, error=message))
                continue
            properties = MessageToDict(one.properties.non_ref_properties)
            for array in one.properties.text_array_properties:
                properties[array.prop_name] = [*array.values]
            good[one.uuid] = {"vector": given, "properties": properties}
        self.stub.rows[name] = self.stub.rows[name] | good
        return batch_pb2.BatchObjectsReply(errors=errors)

    def delete(self, request: Any) -> Any:
        gone = {*[*self.stub.matching(request.collection, request.filters)][:10_000]}
        rows = self.stub.rows[request.collection]
        self.stub.rows[request.collection] = {id: rows[id] for id in rows.keys() - gone}
        return batch_delete_pb2.BatchDeleteReply(matches=len(gone), successful=len(gone))

    def aggregate(self, request: Any) -> Any:
        found = self.stub.matching(request.collection, filters(request))
        single = aggregate_pb2.AggregateReply.Single(objects_count=len(found))
        return aggregate_pb2.AggregateReply(single_result=single)


def answered(context: Any, do: Callable[[], Any]) -> Any:
    if dict(context.invocation_metadata()).get("authorization") != "Bearer the-key":
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthorized: invalid api key")
    try:
        return do()
    except Refused as refused:
        context.abort(grpc.StatusCode.UNKNOWN, str(refused))


def filters(request: Any) -> Any:
    return request.filters if request.HasField("filters") else None


def vector(given: Any) -> list[float]:
    raw = given.vectors[0].vector_bytes if given.vectors else given.vector_bytes
    return [*struct.unpack(f"<{len(raw) // 4}f", raw)]


def result(request: Any, id: str, row: Mapping[str, Any], away: float) -> Any:
    metadata = search_get_pb2.MetadataResult(id=id)
    if request.metadata.distance:
        metadata.distance, metadata.distance_present = away, True
    if request.metadata.vector:
        metadata.vector_bytes = struct.pack(f"<{len(row['vector'])}f", *row["vector"])
    properties = search_get_pb2.PropertiesResult()
    for key in request.properties.non_ref_properties:
        value = row["properties"][key]
        kind = "text_value" if isinstance(value, str) else "number_value"
        properties.non_ref_props.fields[key].CopyFrom(properties_pb2.Value(**{kind: value}))
    return search_get_pb2.SearchResult(metadata=metadata, properties=properties)


@contextmanager
def grpc_serving(stub: Weaviate) -> Iterator[int]:
    """Yields the port."""
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool)
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(Servicer(stub), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield port
        finally:
            server.stop(0).wait()
