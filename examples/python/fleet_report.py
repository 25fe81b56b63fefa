#!/usr/bin/env python3
"""What is wrong in a fleet, as one JSON document, from Python.

Everything that the command line does is an RPC. This program makes its client from the .proto files of the repository
and asks what `fathom fleet`, `fathom clusters` and `fathom findings` ask; with --ack it says of the costliest finding
that somebody works on it, and sends the same request twice to show that twice is once.

It also asks all clusters the same with one call, and once without the generated code: the server itself says what its messages are (reflection), which is all that a
tool needs that has none of our files.

    python3 -m venv venv && venv/bin/pip install -r examples/python/requirements.txt
    venv/bin/python examples/python/fleet_report.py --coordinator 127.0.0.1:7443 \
        --ca ca.crt --cert you.crt --key you.key

Exit codes are those of the command line: 0 fine, 1 failed, 4 a site is missing.
"""

import argparse
import importlib
import json
import pathlib
import sys
import tempfile
import uuid

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"


def generate(folder):
    """Makes the client's code from the .proto files."""
    from grpc_tools import protoc

    files = [str(path.relative_to(PROTO)) for path in sorted(PROTO.glob("fathom/*/v1/*.proto"))]
    arguments = ["protoc", f"-I{PROTO}", f"--python_out={folder}", f"--grpc_python_out={folder}", *files]
    # What protoc brings along (google/protobuf/timestamp.proto) lies beside it.
    import grpc_tools

    arguments.insert(2, f"-I{pathlib.Path(grpc_tools.__file__).parent / '_proto'}")
    if protoc.main(arguments) != 0:
        sys.exit("the .proto files do not compile")
    sys.path.insert(0, str(folder))


def all_pages(call, request, field):
    """Every row of a list, page by page."""
    while True:
        answer = call(request, timeout=30)
        yield from getattr(answer, field)
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def by_reflection(channel, reflected, service, method, **fields):
    """Calls a method of which nothing is known but its name; its answer as JSON has it."""
    pool = descriptor_pool.DescriptorPool(reflected)
    described = pool.FindServiceByName(service).methods_by_name[method]
    request = message_factory.GetMessageClass(described.input_type)(**fields)
    call = channel.unary_unary(
        f"/{service}/{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(described.output_type).FromString,
    )
    return json_format.MessageToDict(call(request, timeout=30), preserving_proto_field_name=True)


def asked_together(stub, fleet, query):
    """One question to every cluster with one call: the slowest write of each, and who gave no answer."""
    question = fleet.AskClustersRequest(
        method="/fathom.query.v1.QueryService/GetLatency",
        request=query.GetLatencyRequest(by="tap").SerializeToString(),
        deadline_nanos=20_000_000_000,
    )
    begun, slowest, missing = {}, {}, []
    for response in stub.AskClusters(question, timeout=30):
        message = response.WhichOneof("message")
        if message == "part":
            name = f"{response.part.site}/{response.part.cluster}"
            begun[name] = begun.get(name, b"") + response.part.piece
        elif message == "outcome" and response.outcome.outcome == "answered":
            cluster = response.outcome.cluster
            name = f"{cluster.site}/{cluster.cluster}"
            answer = query.GetLatencyResponse.FromString(begun.pop(name, b""))
            slowest[name] = max((row.max_nanos for row in answer.latency if row.tap == "volume"), default=None)
        elif message == "summary":
            for row in response.summary.missing:
                missing.append({"site": row.site, "cluster": row.cluster, "cause": row.cause, "reason": row.reason})
    return {"slowest_write_ns": slowest, "missing": missing}


def said(error):
    """Why a call failed: for programs its code and the stable reason of its `ErrorInfo`, for people a message."""
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    infos = [detail for detail in status.details if detail.Is(info.DESCRIPTOR)] if status else []
    reason = infos[0].Unpack(info) and info.reason if infos else None
    return {"code": error.code().name, "reason": reason, "message": error.details()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coordinator", required=True, help="HOST:PORT")
    for name in ("ca", "cert", "key"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--ack", metavar="NAME", help="say that NAME works on the costliest finding")
    options = parser.parse_args()

    credentials = grpc.ssl_channel_credentials(
        options.ca.read_bytes(), options.key.read_bytes(), options.cert.read_bytes()
    )
    with tempfile.TemporaryDirectory() as folder, grpc.secure_channel(options.coordinator, credentials) as channel:
        generate(folder)
        fleet = importlib.import_module("fathom.fleet.v1.fleet_pb2")
        fleet_stub = importlib.import_module("fathom.fleet.v1.fleet_pb2_grpc").FleetServiceStub(channel)
        query = importlib.import_module("fathom.query.v1.query_pb2")
        findings = importlib.import_module("fathom.query.v1.findings_pb2")
        findings_stub = importlib.import_module("fathom.query.v1.findings_pb2_grpc").FindingsServiceStub(channel)

        reflected = ProtoReflectionDescriptorDatabase(channel)
        report = {"services": sorted(reflected.get_services()), "clusters": []}
        health = by_reflection(channel, reflected, "fathom.fleet.v1.FleetService", "GetFleetHealth", clusters=True)
        report["entries"] = [
            {key: entry.get(key, "") for key in ("level", "site", "cluster", "state")} for entry in health["entries"]
        ]
        report["together"] = asked_together(fleet_stub, fleet, query)
        costliest = None
        for cluster in all_pages(fleet_stub.ListClusters, fleet.ListClustersRequest(), "clusters"):
            row = {
                "site": cluster.site,
                "cluster": cluster.cluster,
                "state": cluster.state,
                "missing_since_unix_ns": cluster.missing_since_unix_nanos
                if cluster.HasField("missing_since_unix_nanos")
                else None,
                "findings": None,
                "error": None,
            }
            report["clusters"].append(row)
            try:
                request = findings.ListFindingsRequest(cluster=cluster.address)
                row["findings"] = []
                for finding in all_pages(findings_stub.ListFindings, request, "findings"):
                    row["findings"].append({"id": finding.id, "code": finding.code, "cost_ns": finding.cost_nanos})
                    if costliest is None or finding.cost_nanos > costliest[1].cost_nanos:
                        costliest = (cluster.address, finding)
            except grpc.RpcError as error:
                row["findings"] = None
                row["error"] = said(error)

        # A watch goes on where it was: the token of the last message is all that has to be kept.
        watch = findings_stub.WatchFindings(findings.WatchFindingsRequest(cluster=costliest[0])) if costliest else None
        token = next(iter(watch)).resume_token if watch else None
        if watch:
            watch.cancel()

        if options.ack and costliest:
            request = findings.AcknowledgeFindingRequest(
                cluster=costliest[0], id=costliest[1].id, by=options.ack, request_id=str(uuid.uuid4())
            )
            try:
                for _ in range(2):
                    acknowledged = findings_stub.AcknowledgeFinding(request, timeout=30).finding
                report["acknowledged"] = {"id": acknowledged.id, "by": acknowledged.acknowledged.by}
                again = findings.WatchFindingsRequest(cluster=costliest[0], resume_token=token)
                watch = findings_stub.WatchFindings(again)
                changes = []
                for message in watch:
                    changes += [change.change for change in message.changes]
                    if changes:
                        break
                watch.cancel()
                report["changes"] = changes
            except grpc.RpcError as error:
                report["acknowledged"] = said(error)

    json.dump(report, sys.stdout, indent=2)
    print()
    return 4 if any(row["findings"] is None for row in report["clusters"]) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except grpc.RpcError as error:
        sys.exit(f"error: {error.code().name}: {error.details()}")
