"""Compares RegistryTool with Confluent's serdes for Python. See script/conformance-registry-python."""
import argparse
import datetime
import decimal
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import grpc_tools
from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryClient,
    dual_schema_id_deserializer,
    header_schema_id_serializer,
    prefix_schema_id_serializer,
    record_subject_name_strategy,
    topic_record_subject_name_strategy,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import json_format
from grpc_tools import protoc

parser = argparse.ArgumentParser()
parser.add_argument("tool")
parser.add_argument("--values", type=int, default=25)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
rng = random.Random(options.seed)
checks = 0

tool = subprocess.Popen([options.tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
url = json.loads(tool.stdout.readline())
client = SchemaRegistryClient({"url": url})


def ask(**command):
    tool.stdin.write(json.dumps(command) + "\n")
    tool.stdin.flush()
    answer = json.loads(tool.stdout.readline(), parse_float=str)
    if "error" in answer:
        sys.exit(f"{answer['error']}\n  {command}")
    return answer


def equal(left, right, what):
    global checks
    checks += 1
    if left != right:
        sys.exit(f"{what}:\n  {left}\n  {right}")


STRATEGIES = {
    "topic": topic_subject_name_strategy,
    "record": record_subject_name_strategy,
    "topic-record": topic_record_subject_name_strategy,
}
PLACEMENTS = {"prefix": prefix_schema_id_serializer, "header": header_schema_id_serializer}


def text():
    return "".join(rng.choice("abc äß日🙂\"\\/") for _ in range(rng.randrange(8)))


def both_ways(form, schema, values, serializer, deserializer, prepare, **fixed):
    """Each of the values, which are pairs of what Python has and the JSON for it: from Python to the tool and back."""
    for number, (value, expected) in enumerate(values):
        part = ["value", "key"][number % 2]
        strategy = list(STRATEGIES)[number % 3]
        placement = list(PLACEMENTS)[number // 2 % 2]
        topic = f"{form}-{strategy}-{placement}"
        field = MessageField.KEY if part == "key" else MessageField.VALUE
        conf = {
            "subject.name.strategy": STRATEGIES[strategy],
            "schema.id.serializer": PLACEMENTS[placement],
        }
        write = serializer(conf)
        read = deserializer({"schema.id.deserializer": dual_schema_id_deserializer})
        what = f"{form} {part} {strategy} {placement}"

        context = SerializationContext(topic, field, [])
        bytes_ = write(value, context)
        header = context.headers[0] if context.headers else None
        answer = ask(
            format=form, part=part, schema=schema, bytes=bytes_.hex(), **fixed,
            **({"header": [header[0], header[1].hex()]} if header else {}),
        )
        equal(answer["value"], expected, f"{what}, read by the tool")

        answer = ask(
            format=form, part=part, schema=schema, topic=topic, strategy=strategy, placement=placement,
            value=expected, **fixed,
        )
        if form != "protobuf" and form != "json":
            equal(answer["bytes"], bytes_.hex(), f"{what}, written by both")
        equal(answer.get("header"), [header[0], header[1].hex()] if header else None, f"{what}, the header of both")
        headers = [(answer["header"][0], bytes.fromhex(answer["header"][1]))] if "header" in answer else []
        back = read(bytes.fromhex(answer["bytes"]), SerializationContext(topic, field, headers))
        equal(prepare(back), prepare(value), f"{what}, read by Python")


# Avro

AVRO = json.dumps({
    "type": "record", "name": "Widget", "namespace": "feed", "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": "string"},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "made_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["BIG", "SMALL"]}},
        {"name": "labels", "type": {"type": "map", "values": "int"}},
        {"name": "note", "type": ["null", "string"], "default": None},
    ],
})


def widget():
    cents = rng.randrange(-(10**10) + 1, 10**10)
    micros = rng.randrange(-(10**15), 4 * 10**15)
    made_at = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=micros)
    value = {
        "id": rng.randrange(-(2**63), 2**63),
        "name": text(),
        "amount": decimal.Decimal(cents).scaleb(-2),
        "made_at": made_at,
        "tags": [text() for _ in range(rng.randrange(3))],
        "kind": rng.choice(["BIG", "SMALL"]),
        "labels": {f"k{n}": rng.randrange(-(2**31), 2**31) for n in range(rng.randrange(3))},
        "note": rng.choice([None, text()]),
    }
    plain = dict(value)
    plain["amount"] = f"{value['amount']:.2f}"
    plain["made_at"] = made_at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{made_at.microsecond:06d}Z"
    return value, plain


both_ways(
    "avro", AVRO, [widget() for _ in range(options.values)],
    lambda conf: AvroSerializer(client, AVRO, conf=conf),
    lambda conf: AvroDeserializer(client, AVRO, conf=conf),
    lambda value: value,
)

# A newer version of the schema, which either side reads as the older one.
newer = json.loads(AVRO)
newer["fields"].insert(0, {"name": "added", "type": "string", "default": "-"})
value, plain = widget()
context = SerializationContext("avro-evolved", MessageField.VALUE, [])
written = AvroSerializer(client, json.dumps(newer))({**value, "added": "x"}, context)
equal(ask(format="avro", schema=AVRO, bytes=written.hex())["value"], plain, "a newer version, read by the tool")
written = ask(format="avro", schema=json.dumps(newer), topic="avro-evolved-2", value={**plain, "added": "x"})
context = SerializationContext("avro-evolved-2", MessageField.VALUE, [])
equal(AvroDeserializer(client, AVRO)(bytes.fromhex(written["bytes"]), context), value, "a newer version, read by Python")

# JSON Schema

JSON = json.dumps({
    "$schema": "http://json-schema.org/draft-07/schema#", "title": "feed.Note", "type": "object",
    "required": ["id", "text"], "additionalProperties": False,
    "properties": {
        "id": {"type": "integer"}, "text": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}}, "of": {"type": ["null", "object"]},
    },
})


def note():
    value = {"id": rng.randrange(2**53), "text": text(), "tags": [text()], "of": rng.choice([None, {"a": text()}])}
    return value, value


both_ways(
    "json", JSON, [note() for _ in range(options.values)],
    lambda conf: JSONSerializer(JSON, client, conf=conf),
    lambda conf: JSONDeserializer(JSON, conf=conf, schema_registry_client=client),
    lambda value: value,
)

# Protobuf

protos = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "ProtobufExamples"
well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
with tempfile.TemporaryDirectory() as folder:
    files = ["feed/v1/money.proto", "feed/v1/rental.proto"]
    if protoc.main(["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={folder}", *files]) != 0:
        sys.exit("protoc failed")
    sys.path.insert(0, folder)
    from feed.v1.rental_pb2 import Rental

    def rental():
        value = Rental(id=rng.randrange(-(2**63), 2**63), name=text(), labels={text(): text()}, picture=rng.randbytes(3))
        value.price.currency = "EUR"
        value.price.cents = rng.randrange(-(2**63), 2**63)
        value.rooms.add(name=text(), beds=rng.randrange(1, 9))
        value.changed_at.FromMicroseconds(rng.randrange(10**15))
        if rng.random() < 0.5:
            value.note = text()
        return value, json.loads(json_format.MessageToJson(value, preserving_proto_field_name=True))

    both_ways(
        "protobuf", None, [rental() for _ in range(options.values)],
        lambda conf: ProtobufSerializer(Rental, client, conf=conf),
        lambda conf: ProtobufDeserializer(Rental, conf=conf, schema_registry_client=client),
        lambda value: value.SerializeToString(deterministic=True),
    )

# What else the client asks a registry for.

subject = "avro-topic-prefix-value"
version = client.get_latest_version(subject)
equal(client.get_version(subject, version.version).schema_id, version.schema_id, "a version")
equal(client.lookup_schema(subject, Schema(AVRO)).version, version.version, "the version of a schema")
equal(client.get_versions(subject), [version.version], "versions")
equal(subject in client.get_subjects(), True, "subjects")
equal(client.get_compatibility(), "BACKWARD", "the level of all")
equal(client.test_compatibility(subject, Schema(json.dumps(newer))), True, "a compatible schema")
broken = json.loads(AVRO)
broken["fields"].append({"name": "more", "type": "int"})
equal(client.test_compatibility(subject, Schema(json.dumps(broken))), False, "an incompatible schema")
try:
    client.register_schema(subject, Schema(json.dumps(broken)))
    sys.exit("an incompatible schema was taken")
except SchemaRegistryError as error:
    equal(error.http_status_code, 409, "the status of an incompatible schema")
client.set_compatibility(subject, "NONE")
equal(client.get_compatibility(subject), "NONE", "the level of a subject")
client.register_schema(subject, Schema(json.dumps(broken)))
equal(len(client.get_versions(subject)), 2, "versions after another one")
client.delete_version(subject, 2)
equal(client.get_versions(subject), [1], "versions after one was deleted")
client.delete_subject(subject)
equal(subject in client.get_subjects(), False, "subjects after one was deleted")
try:
    # The client that has asked before remembers the answer.
    SchemaRegistryClient({"url": url}).get_latest_version(subject)
    sys.exit("a deleted subject has a version")
except SchemaRegistryError as error:
    equal(error.error_code, 40401, "the code of a deleted subject")
equal(client.delete_subject(subject, permanent=True), [1, 2], "a subject that is deleted for good")

tool.stdin.close()
tool.wait()
print(f"{checks} passed, 0 failed")
