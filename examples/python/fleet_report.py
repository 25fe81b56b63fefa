#!/usr/bin/env python3
"""What is wrong in a fleet, as one JSON document, from Python.

Everything that the command line does is an RPC. This program makes its client from the .proto files of the repository
and asks what `fathom fleet`, `fathom clusters` and `fathom findings` ask; with --ack it says of the costliest finding
that somebody works on it, and sends the same request twice to show that twice is once.

It also asks once without the generated code: the server itself says what its messages are (reflection), which is all that a
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
        findings = importlib.import_module("fathom.query.v1.findings_pb2")
        findings_stub = importlib.import_module("fathom.query.v1.findings_pb2_grpc").FindingsServiceStub(channel)

        reflected = ProtoReflectionDescriptorDatabase(channel)
        report = {"services": sorted(reflected.get_services()), "clusters": []}
        health = by_reflection(channel, reflected, "fathom.fleet.v1.FleetService", "GetFleetHealth", clusters=True)
        report["entries"] = [
            {key: entry.get(key, "") for key in ("level", "site", "cluster", "state")} for entry in health["entries"]
        ]
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
