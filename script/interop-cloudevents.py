"""Compares CloudEventTool with the CloudEvents SDK for Python. See script/interop-cloudevents."""
import argparse
import base64
import json
import random
import subprocess
import sys
import uuid

from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_binary,
    from_kafka,
    from_structured,
    to_binary,
    to_structured,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

parser = argparse.ArgumentParser()
parser.add_argument("tool")
parser.add_argument("--events", type=int, default=200)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
rng = random.Random(options.seed)
checks = 0

tool = subprocess.Popen([options.tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def ask(**command):
    tool.stdin.write(json.dumps(command) + "\n")
    tool.stdin.flush()
    answer = json.loads(tool.stdout.readline())
    if "error" in answer:
        sys.exit(f"{answer['error']}\n  {command}")
    return answer


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"failed: {what}")


def decoded(text):
    return None if text is None else base64.b64decode(text)


def encoded(data):
    if data is None:
        return None
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def published(message):
    headers = {name: decoded(value) for name, value in message["headers"]}
    return KafkaMessage(headers=headers, key=decoded(message["key"]), value=decoded(message["value"]))


def read(message, mode):
    """The event of a message, by the function for its mode and by the one that finds it out."""
    structured = b"application/cloudevents" in message.headers.get("content-type", b"")
    # Only in binary mode a message without a value is a tombstone.
    check(structured == (mode == "structured" and message.value is not None), "the mode is the one that was asked for")
    form = JSONFormat()
    if message.value is None:
        message = KafkaMessage(headers=message.headers, key=message.key, value=b"null")
    event = (from_structured if structured else from_binary)(message, form)
    check(from_kafka(message, form).get_attributes() == event.get_attributes(), "the mode can be found out")
    return event


def from_dionysus():
    for mode in ["binary", "structured"]:
        for encoding in ["envelope", "record", "marked"]:
            messages = ask(command="publish", mode=mode, encoding=encoding)["messages"]
            events = [(message["topic"], read(published(message), mode)) for message in messages]
            notes = [event for topic, event in events if topic == "feed_notes"]
            check(len(notes) >= 4, f"{mode} {encoding}: all changes are there")
            check(len({event.get_id() for _, event in events}) == len(events), "ids are unique")
            for event in notes:
                check(event.get_specversion() == "1.0", "specversion")
                check(event.get_source() == "/dionysus/feed", "source")
                check(event.get_type().startswith("feed.note_"), "type")
                check(event.get_subject() in ("Note/1", "Note/2"), "subject")
                check(event.get_time() is not None, "time")
                check(int(event.get_extension("dionysusversion")) > 0, "version")
            types = [event.get_type() for event in notes]
            check({"feed.note_created", "feed.note_updated", "feed.note_destroyed"} == set(types), f"types {types}")
            first = next(event for event in notes if event.get_subject() == "Note/2")
            check(first.get_datacontenttype() == "application/json", "content type")
            data = first.get_data()
            if encoding == "envelope":
                check(data["message"][0]["data"][0]["title"] == 'snow ☃ "quoted"', "data")
            else:
                check(data["title"] == 'snow ☃ "quoted"', "data")
            end = next(event for event in notes if event.get_type() == "feed.note_destroyed")
            if encoding == "marked":
                check(end.get_data()["__deleted"] is True, "a marked end")
            notice = next(event for topic, event in events if topic == "feed_notices")
            check(notice.get_type() == "feed.notice_posted" and notice.get_data() == {"text": "notice ☃"}, "a notice")


def text():
    return "".join(rng.choice("abc äß日🙂\"\\/") for _ in range(rng.randrange(8)))


def to_dionysus():
    for mode, write in [("binary", to_binary), ("structured", to_structured)]:
        state = {}
        messages = []
        ids = []
        for number in range(options.events):
            key = rng.randrange(1, 12)
            attributes = {
                "id": str(uuid.UUID(int=rng.getrandbits(128))),
                "source": "/python",
                "type": "com.example.note",
                "subject": f"Note/{key}",
                "datacontenttype": rng.choice(["application/json", "application/json; charset=utf-8"]),
                "dionysusversion": str(number + 1),
                "partitionkey": str(key),
            }
            data = {"id": key, "title": text(), "price": rng.choice([None, 1, 2.5])}
            if rng.randrange(5) == 0 and key in state:
                attributes["type"] = "feed.note_destroyed"
                state.pop(key)
            else:
                state[key] = data
            ids.append(attributes["id"])
            messages.append(write(CloudEvent(attributes, data), JSONFormat()))
        answer = ask(
            command="read",
            encoding="record",
            mode=rng.choice(["binary", "structured"]),
            messages=[
                {
                    "key": encoded(message.key),
                    "value": encoded(message.value),
                    "headers": [[name, encoded(value)] for name, value in message.headers.items()],
                }
                for message in messages
            ],
        )
        check(answer["failures"] == [], f"{mode}: {answer['failures'][:3]}")
        check(set(answer["ids"]) <= set(ids) and answer["ids"], "ids are those of the events")
        rows = {row[0]: (row[1], None if row[2] is None else float(row[2])) for row in answer["rows"]}
        expected = {
            key: (data["title"], None if data["price"] is None else float(data["price"])) for key, data in state.items()
        }
        check(rows == expected, f"{mode}: rows\n  {rows}\n  {expected}")


from_dionysus()
to_dionysus()
tool.stdin.close()
tool.wait()
print(f"{checks} comparisons with the CloudEvents SDK for Python, both ways and in both modes: all the same")
