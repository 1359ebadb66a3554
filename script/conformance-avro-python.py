"""Compares AvroTool with fastavro and avro, on generated schemas and values. See script/conformance-avro-python."""
import argparse
import io
import json
import math
import random
import struct
import subprocess
import sys

import avro.io
import avro.schema
import fastavro
from fastavro.schema import to_parsing_canonical_form

parser = argparse.ArgumentParser()
parser.add_argument("tool")
parser.add_argument("--pairs", type=int, default=1000)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
rng = random.Random(options.seed)
count = 0


def name(prefix):
    global count
    count += 1
    return f"{prefix}{count}"


PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]


def schema(depth, names):
    """A schema, and the named types that are defined in it so far."""
    choice = rng.random()
    if depth == 0 or choice < 0.45:
        return rng.choice(PRIMITIVES)
    if choice < 0.55:
        return {"type": "array", "items": schema(depth - 1, names)}
    if choice < 0.63:
        return {"type": "map", "values": schema(depth - 1, names)}
    if choice < 0.70:
        n = name("E")
        names[n] = {"type": "enum", "name": n, "symbols": [f"S{i}" for i in range(rng.randint(1, 5))]}
        return names[n]
    if choice < 0.75:
        n = name("F")
        names[n] = {"type": "fixed", "name": n, "size": rng.randint(0, 5)}
        return names[n]
    if choice < 0.88:
        return union(depth, names)
    if names and choice < 0.92:
        return rng.choice(list(names))
    return record(depth, names)


def union(depth, names):
    branches, seen = [], set()
    for _ in range(rng.randint(1, 4)):
        branch = schema(depth - 1, names)
        key = kind(branch)
        if isinstance(branch, list) or key in seen:
            if isinstance(branch, dict) and "name" in branch:
                continue
            continue
        seen.add(key)
        branches.append(branch)
    return branches or ["null"]


def kind(s):
    if isinstance(s, list):
        return "union"
    if isinstance(s, dict):
        return s.get("name", s["type"])
    return s


def record(depth, names):
    n = name("R")
    r = {"type": "record", "name": n, "fields": []}
    own = dict(names)
    for i in range(rng.randint(0, 5)):
        r["fields"].append({"name": f"f{i}", "type": schema(depth - 1, own)})
    if rng.random() < 0.15:
        r["fields"].append({"name": "next", "type": ["null", n]})
    names.update(own)
    names[n] = r
    return r


def definitions(s, into):
    if isinstance(s, list):
        for b in s:
            definitions(b, into)
    elif isinstance(s, dict):
        if "name" in s:
            into[s["name"]] = s
        for key in ("items", "values"):
            if key in s:
                definitions(s[key], into)
        for f in s.get("fields", []):
            definitions(f["type"], into)


def value(s, defs, depth=0):
    if isinstance(s, list):
        branch = rng.choice(s)
        if depth > 6 and "null" in s:
            branch = "null"
        v = value(branch, defs, depth + 1)
        return (kind(branch), v)
    if isinstance(s, str) and s in defs:
        s = defs[s]
    t = s["type"] if isinstance(s, dict) else s
    if t == "null":
        return None
    if t == "boolean":
        return rng.random() < 0.5
    if t == "int":
        return rng.choice([0, -1, 1, 63, -64, 2**31 - 1, -(2**31), rng.randint(-(2**31), 2**31 - 1)])
    if t == "long":
        return rng.choice([0, -1, 2**63 - 1, -(2**63), rng.randint(-(2**63), 2**63 - 1), rng.randint(-500, 500)])
    if t == "float":
        return struct.unpack("<f", struct.pack("<f", rng.uniform(-1e6, 1e6)))[0]
    if t == "double":
        return rng.choice([0.0, -1.5, 1e300, rng.uniform(-1e9, 1e9)])
    if t == "bytes":
        return bytes(rng.randrange(256) for _ in range(rng.randint(0, 20)))
    if t == "string":
        return "".join(rng.choice("aé☃😀 \"\\\n") for _ in range(rng.randint(0, 20)))
    if t == "array":
        return [value(s["items"], defs, depth + 1) for _ in range(rng.randint(0, 3 if depth < 4 else 0))]
    if t == "map":
        return {f"k{i}": value(s["values"], defs, depth + 1) for i in range(rng.randint(0, 3 if depth < 4 else 0))}
    if t == "enum":
        return rng.choice(s["symbols"])
    if t == "fixed":
        return bytes(rng.randrange(256) for _ in range(s["size"]))
    if t == "record":
        return {f["name"]: value(f["type"], defs, depth + 1) for f in s["fields"]}
    raise ValueError(t)


WIDER = {"int": ["long", "float", "double"], "long": ["float", "double"], "float": ["double"], "string": ["bytes"], "bytes": []}
DEFAULTS = {"null": None, "boolean": True, "int": 5, "long": -6, "float": 0.5, "double": 1.25, "bytes": "\u00ff", "string": "d"}


def evolve(s):
    """Another version of a schema; most can read the first one's data."""
    if isinstance(s, list):
        branches = [evolve(b) for b in s]
        if rng.random() < 0.3:
            rng.shuffle(branches)
        # The same type may have come twice by widening; define-before-use may be broken by the shuffle.
        if len({kind(b) for b in branches}) < len(branches):
            return s
        return branches
    if isinstance(s, str):
        return rng.choice(WIDER[s]) if rng.random() < 0.15 and WIDER.get(s) else s
    s = dict(s)
    if s["type"] == "record":
        fields = []
        for f in s["fields"]:
            if rng.random() < 0.15:
                continue
            f = {"name": f["name"], "type": evolve(f["type"])}
            if rng.random() < 0.15:
                f = {"name": "renamed_" + f["name"], "type": f["type"], "aliases": [f["name"]]}
            fields.append(f)
        if rng.random() < 0.3:
            p = rng.choice(list(DEFAULTS))
            fields.append({"name": "added", "type": p, "default": DEFAULTS[p]})
        if rng.random() < 0.2:
            fields.append({"name": "added_list", "type": {"type": "array", "items": "int"}, "default": [1, 2]})
        if rng.random() < 0.03:
            fields.append({"name": "unset", "type": "int"})
        if rng.random() < 0.3:
            rng.shuffle(fields)
        s["fields"] = fields
    elif s["type"] == "enum" and rng.random() < 0.3:
        s["symbols"] = [x for x in s["symbols"] if rng.random() < 0.8] or ["S0"]
        if rng.random() < 0.5:
            s["default"] = s["symbols"][0]
    elif s["type"] == "array":
        s["items"] = evolve(s["items"])
    elif s["type"] == "map":
        s["values"] = evolve(s["values"])
    return s


def has_two_ways(s):
    """Whether a union has a branch that reads another's data and stands before it: the first that reads it is taken by fastavro,
    the one of the data's own type here, and in Java."""
    if isinstance(s, list):
        for i, wider in enumerate(s):
            for narrower in s[i + 1:]:
                if not isinstance(narrower, str) or not isinstance(wider, str):
                    continue
                if {narrower, wider} == {"bytes", "string"} or wider in WIDER.get(narrower, []):
                    return True
        return any(has_two_ways(b) for b in s)
    if isinstance(s, dict):
        parts = [s[k] for k in ("items", "values") if k in s] + [f["type"] for f in s.get("fields", [])]
        return any(has_two_ways(p) for p in parts)
    return False


def defined(s, known=None):
    """Whether each name is defined before it is used."""
    known = set(PRIMITIVES) if known is None else known
    if isinstance(s, str):
        return s in known
    if isinstance(s, list):
        return all(defined(b, known) for b in s)
    if "name" in s:
        if s["name"] in known:
            return False
        known.add(s["name"])
    parts = [s[k] for k in ("items", "values") if k in s] + [f["type"] for f in s.get("fields", [])]
    return all(defined(p, known) for p in parts)


def binary(s, v):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, s, v)
    return out.getvalue()


def same(a, b):
    # fastavro leaves a default of bytes as the schema has it, a character for each byte.
    if isinstance(a, bytes) and isinstance(b, str):
        b = b.encode("latin-1")
    if isinstance(a, float) or isinstance(b, float):
        if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
            return False
        # fastavro doesn't round a whole number that is read as a float to what a float has.
        return a == b or (math.isnan(a) and math.isnan(b)) or a == struct.unpack("<f", struct.pack("<f", b))[0]
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return type(a) is type(b) and a == b


def plain(s, document, defs):
    """Avro's JSON, as a value in Python without the unions' wrapping."""
    if isinstance(s, list):
        if document is None:
            return None
        (key, inner), = document.items()
        branch = next(b for b in s if kind(b) == key)
        return plain(branch, inner, defs)
    if isinstance(s, str) and s in defs:
        s = defs[s]
    t = s["type"] if isinstance(s, dict) else s
    if t in ("bytes", "fixed"):
        return document.encode("latin-1")
    if t == "float":
        return struct.unpack("<f", struct.pack("<f", float(document)))[0]
    if t == "double":
        return float(document)
    if t == "array":
        return [plain(s["items"], d, defs) for d in document]
    if t == "map":
        return {k: plain(s["values"], d, defs) for k, d in document.items()}
    if t == "record":
        return {f["name"]: plain(f["type"], document[f["name"]], defs) for f in s["fields"]}
    return document


tool = subprocess.Popen([options.tool, "exchange"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
checked = {"pairs": 0, "resolved alike": 0, "read as another branch by fastavro": 0, "refused alike": 0, "resolved here, refused by fastavro": 0,
           "refused here, resolved by fastavro": 0, "read by avro": 0}
failures = []


def fail(index, what, case):
    failures.append(index)
    print(f"pair {index}: {what}\n  {case}", file=sys.stderr)


index = 0
while index < options.pairs:
    names = {}
    w = record(4, names)
    if not defined(w):
        continue
    r = evolve(w)
    if not defined(r):
        r = w
    # fastavro keeps names of earlier schemas apart only if each is parsed by itself.
    writer = fastavro.parse_schema(json.loads(json.dumps(w)))
    reader = fastavro.parse_schema(json.loads(json.dumps(r)))
    defs, rdefs = {}, {}
    definitions(w, defs)
    definitions(r, rdefs)
    v = value(w, defs)
    index += 1
    data = binary(writer, v)
    original = fastavro.schemaless_reader(io.BytesIO(data), writer, None)
    container = io.BytesIO()
    fastavro.writer(container, writer, [v], codec=rng.choice(["null", "deflate"]))
    question = {"writer": json.dumps(w), "reader": json.dumps(r), "data": data.hex(), "container": container.getvalue().hex()}
    tool.stdin.write(json.dumps(question) + "\n")
    tool.stdin.flush()
    answer = json.loads(tool.stdout.readline())
    case = json.dumps({"writer": w, "reader": r, "data": data.hex()})
    checked["pairs"] += 1
    if "error" in answer:
        fail(index, answer["error"], case)
        continue
    if answer["form"] != to_parsing_canonical_form(writer):
        fail(index, f"canonical form {answer['form']}", case)
    if answer["crc64"] != bytes.fromhex(fastavro.schema.fingerprint(to_parsing_canonical_form(writer), "CRC-64-AVRO"))[::-1].hex():
        fail(index, f"fingerprint {answer['crc64']}", case)
    ours = bytes.fromhex(answer["data"])
    if not same(fastavro.schemaless_reader(io.BytesIO(ours), writer, None), original):
        fail(index, "fastavro reads our data otherwise", case)
    if answer["fromJSON"] != answer["data"]:
        fail(index, "our JSON is read as other data", case)
    if not same(plain(w, answer["json"], defs), original):
        fail(index, "our JSON is another value", case)
    if not same(list(fastavro.reader(io.BytesIO(bytes.fromhex(answer["container"])))), [original]):
        fail(index, "fastavro reads our file otherwise", case)
    document = avro.schema.parse(answer["document"])
    theirs = avro.io.DatumReader(document).read(avro.io.BinaryDecoder(io.BytesIO(ours)))
    if not same(theirs, original):
        fail(index, "avro reads our data otherwise", case)
    else:
        checked["read by avro"] += 1
    try:
        expected, refused = fastavro.schemaless_reader(io.BytesIO(data), writer, reader), None
    except Exception as error:
        expected, refused = None, f"{type(error).__name__}: {error}"
    if "resolved" in answer:
        resolved = plain(r, answer["resolved"], rdefs)
        if refused:
            checked["resolved here, refused by fastavro"] += 1
            print(f"pair {index}: resolved here, refused by fastavro: {refused}", file=sys.stderr)
        elif same(resolved, expected):
            checked["resolved alike"] += 1
        elif has_two_ways(r):
            checked["read as another branch by fastavro"] += 1
        else:
            fail(index, f"resolved as {resolved}, by fastavro as {expected}", case)
    elif refused:
        checked["refused alike"] += 1
    else:
        checked["refused here, resolved by fastavro"] += 1
        print(f"pair {index}: refused here, resolved by fastavro: {answer['unresolved']}", file=sys.stderr)

tool.stdin.close()
tool.wait()
print("conformance-avro-python: " + ", ".join(f"{n} {what}" for what, n in checked.items()))
print(f"conformance-avro-python: {len(failures)} failures")
sys.exit(1 if failures else 0)
