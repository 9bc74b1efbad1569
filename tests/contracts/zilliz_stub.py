"""What Zilliz Cloud adds to Milvus, as docs.zilliz.com describes it ("Connect to cluster"): TLS,
and a token in the metadata of each call. Behind it is the engine of Milvus Lite, which is real."""

import base64
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from pymilvus.grpc_gen import milvus_pb2_grpc

TOKEN = "the-key"


class Guard(grpc.ServerInterceptor):
    """Whoever has no token is refused."""

    def intercept_service(self, go_on: Callable[..., Any], call: Any) -> Any:
        wanted = base64.b64encode(TOKEN.encode()).decode()
        if dict(call.invocation_metadata).get("authorization") == wanted:
            return go_on(call)

        def refused(request: Any, context: Any) -> Any:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure")

        return grpc.unary_unary_rpc_method_handler(refused)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yields the port, and the certificate of who is trusted."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    to = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *named, *to], check=True, capture_output=True)
    database = MilvusLite(str(folder / "milvus"))
    with ThreadPoolExecutor(10) as pool:
        server = grpc.server(pool, interceptors=[Guard()])
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
        credentials = [(key.read_bytes(), certificate.read_bytes())]
        port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials(credentials))
        server.start()
        try:
            yield port, certificate
        finally:
            server.stop(0).wait()
            database.close()
