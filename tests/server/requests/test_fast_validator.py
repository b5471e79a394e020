"""What is called sound keeps every rule that the library knows, and what people send is called sound."""

from __future__ import annotations

import random
from typing import Any

import protovalidate
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from headgate import pb
from headgate_server.requests import time_rules
from headgate_server.requests.fast_validator import FastValidator
from headgate_server.rpc import registry
from tests.server.world import backfill

REQUESTS: list[Descriptor] = sorted(
    {method.input_type for method in registry.methods() if method.containing_service.file.package == "headgate.v1"},
    key=lambda one: one.full_name,
)

TEXTS = (
    "",
    "a",
    "a\n",
    "jobs/a",
    "jobs/a-b\n",
    "JOBS",
    "x" * 64,
    "x" * 129,
    "é" * 40_000,
    "12:00:00",
    "24:00:00",
    "|",
    "\x00",
    "\x7f",
    "k_1",
    "-a",
)
NUMBERS = (0, 1, 2, 5, 10, 11, 60, 1_100, 1_101, -1, 2**31 - 1)


def filled(rng: random.Random, descriptor: Descriptor, depth: int = 0) -> Message:
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if depth < 4 and rng.random() < 0.5:
            put(rng, message, field, depth)
    return message


def put(rng: random.Random, message: Message, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        if field.message_type.fields_by_name["value"].message_type is None:
            getattr(message, field.name)[rng.choice(TEXTS)] = rng.choice(TEXTS)
    elif field.is_repeated:
        values = [value(rng, field, depth) for _ in range(rng.choice((1, 1, 2, 3)))]
        getattr(message, field.name).extend(values)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value(rng, field, depth))
    else:
        setattr(message, field.name, value(rng, field, depth))


def value(rng: random.Random, field: FieldDescriptor, depth: int) -> Any:
    if field.message_type is not None:
        return filled(rng, field.message_type, depth + 1)
    if field.enum_type is not None:
        return rng.choice((0, 1, 2, 3, 4, 99))
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(TEXTS)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"x"
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    return float(rng.choice(NUMBERS)) if field.type == FieldDescriptor.TYPE_DOUBLE else rng.choice(NUMBERS)


@pytest.mark.parametrize("descriptor", REQUESTS, ids=lambda one: one.name)
def test_what_is_sound_breaks_no_rule_of_the_library(descriptor: Descriptor) -> None:
    rng, validator, library = random.Random(descriptor.name), FastValidator(), protovalidate.Validator()

    for _ in range(400):
        message = filled(rng, descriptor)
        if validator.is_valid(message):
            assert not library.collect_violations(message), message
            assert not list(time_rules.ill_formed(message)), message


GOOD: tuple[Message, ...] = (
    backfill(),
    pb.GetJobRequest(name="jobs/a-1"),
    pb.WatchJobRequest(name="jobs/a-1", start_revision=5),
    pb.ListJobsRequest(page_size=50),
    pb.CancelJobRequest(name="jobs/a-1"),
    pb.GetWorkflowInstanceRequest(id=5, max_staleness={"seconds": 5}),  # type: ignore[arg-type]
    pb.BatchGetWorkflowInstancesRequest(ids=[1, 2, 3]),
    pb.StartWorkflowInstancesRequest(spec=pb.StartWorkflowInstancesSpec(ids=[1, 2])),
)


@pytest.mark.parametrize("message", GOOD, ids=lambda one: type(one).__name__)
def test_what_people_send_is_sound(message: Message) -> None:
    assert FastValidator().is_valid(message)


def test_every_rule_of_a_submit_is_judged() -> None:
    validator, library, rng = FastValidator(), protovalidate.Validator(), random.Random(1)

    for _ in range(2_000):
        request = backfill()
        field = rng.choice(request.spec.DESCRIPTOR.fields)
        put(rng, request.spec, field, 1)
        if not library.collect_violations(request) and not list(time_rules.ill_formed(request)):
            assert validator.is_valid(request), request
