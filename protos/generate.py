"""Generate the Python code of `headgate/v1/*.proto`, and of the rule options that they import.

`buf/validate/validate.proto` ships in no wheel as text; its descriptor does, inside protovalidate. It is handed to
protoc as a descriptor set, so that nothing of it has to be copied into this repository by hand.

Usage: python protos/generate.py [output folder]. Without an argument the committed code is rewritten.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import google.rpc
import grpc_tools
from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
RULES = "buf/validate/validate.proto"
FOREIGN = ("google/rpc/error_details.proto", "google/longrunning/operations_proto.proto")
"""What answers carry without being imported by our files: the details of errors, and operations."""
UPSTREAM_NAMES = {"google/longrunning/operations_proto.proto": "google/longrunning/operations.proto"}
"""Files that their Python package names otherwise than all other languages do."""


def rule_descriptors() -> descriptor_pb2.FileDescriptorSet:
    """The descriptor of the rule options with the well-known types it imports, as protoc takes it."""
    from protovalidate._gen.buf.validate import validate_pb

    found = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(found.file.add())
    found.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return found


def includes() -> list[str]:
    """Where protoc finds our protos, googleapis' and the well-known types, all as text."""
    googleapis = Path(next(iter(google.rpc.__path__))).parent.parent
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    return [f"-I{ROOT}", f"-I{googleapis}", f"-I{well_known}"]


def for_publication(raw: bytes) -> bytes:
    """The descriptor set with comments of our own files only, and with the file names of all other languages."""
    found = descriptor_pb2.FileDescriptorSet.FromString(raw)
    for file in found.file:
        file.name = UPSTREAM_NAMES.get(file.name, file.name)
        if not file.package.startswith("headgate."):
            file.ClearField("source_code_info")
    return found.SerializeToString(deterministic=True)


def run(*arguments: str) -> None:
    """Run protoc; SystemExit with its code when it complains."""
    code = protoc.main(["protoc", *arguments])
    if code:
        raise SystemExit(code)


def generate(output: Path) -> None:
    """Write modules, stubs and the published, self-contained descriptor set below `output`."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # protoc-gen-mypy
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "headgate" / "v1").glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        known = Path(scratch) / "rules.binpb"
        known.write_bytes(rule_descriptors().SerializeToString())
        given = [f"--descriptor_set_in={known}", *includes()]
        run(*given, f"--python_out={output}", f"--mypy_out=quiet:{output}", RULES)
        published = output / "headgate" / "v1" / "headgate.binpb"
        run(*given, f"--python_out={output}", f"--mypy_out=quiet:{output}", *sources)
        described = ["--include_imports", "--include_source_info", f"--descriptor_set_out={published}"]
        run(*given, *described, *sources, *FOREIGN)
        published.write_bytes(for_publication(published.read_bytes()))
        services = [source for source in sources if source.endswith("_service.proto")]
        run(*given, f"--grpc_python_out={output}", f"--mypy_grpc_out=quiet:{output}", *services)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
