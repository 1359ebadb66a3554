"""Runs a relay and a consumer, scrapes them, and decodes what they send; ends with 1 and the reason if anything is wrong.

    python conformance-metrics.py RENTALS FOLDER_OF_PROMETHEUS
"""

import gzip
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

RENTALS, PROMETHEUS = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
REQUESTS = {
    "/v1/metrics": (metrics_service_pb2.ExportMetricsServiceRequest, metrics_service_pb2.ExportMetricsServiceResponse),
    "/v1/traces": (trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse),
    "/v1/logs": (logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse),
}


def check(condition, text):
    if not condition:
        raise SystemExit(f"conformance-metrics: {text}")
    print(f"  ok: {text}")


class Collector(http.server.ThreadingHTTPServer):
    """A collector that is busy at first, and once takes a part only."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.received = {path: [] for path in REQUESTS}
        self.faults = []
        self.busy = {path: 1 for path in REQUESTS}
        self.partial = {"/v1/traces": 1}
        self.repeated = set()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        collector = self.server
        with collector.lock:
            if self.headers["content-type"] != "application/x-protobuf":
                collector.faults.append(f"content type {self.headers['content-type']}")
            if self.headers["api-key"] != "a b":
                collector.faults.append("the header of OTEL_EXPORTER_OTLP_HEADERS is missing")
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            else:
                collector.faults.append("it isn't compressed")
            request_type, response_type = REQUESTS[self.path]
            if collector.busy[self.path]:
                collector.busy[self.path] -= 1
                collector.repeated.add((self.path, body))
                self.send_response(503)
                self.send_header("retry-after", "0")
                self.end_headers()
                return
            collector.repeated.discard((self.path, body))
            request, response = request_type(), response_type()
            try:
                request.ParseFromString(body)
            except Exception as error:
                collector.faults.append(f"{self.path}: {error}")
            if unknown_fields(request):
                collector.faults.append(f"{self.path} has fields that aren't OTLP's")
            collector.received[self.path].append(request)
            if collector.partial.get(self.path):
                collector.partial[self.path] -= 1
                response.partial_success.rejected_spans = 1
                response.partial_success.error_message = "one is too much"
            answer = response.SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def unknown_fields(message):
    """Whether a message, or one within it, has fields that its definition lacks."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            repeated = value if hasattr(value, "add") else [value]
            if any(unknown_fields(each) for each in repeated):
                return True
    return False


def get(url, accept=None):
    request = urllib.request.Request(url, headers={"accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


def wait(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            result = condition()
        except (OSError, urllib.error.URLError):
            result = None
        if result:
            return result
        time.sleep(0.2)
    raise SystemExit(f"conformance-metrics: waited {seconds} s for {what}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def check_exposition(name, url):
    status, content_type, text = get(url + "/metrics")
    check(status == 200 and content_type == "text/plain; version=0.0.4; charset=utf-8", f"{name} serves Prometheus' text")
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    check(len(families) > 5, f"{name}: Python's parser reads {len(families)} metrics")
    lint = subprocess.run([PROMETHEUS / "promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    check(lint.returncode == 0, f"{name}: promtool check metrics says nothing against it {lint.stderr}{lint.stdout}")
    status, content_type, text = get(url + "/metrics", OPEN_METRICS)
    check(content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8", f"{name} serves OpenMetrics")
    # The parser is strict: order, types, units, exemplars, buckets and the end.
    families = {family.name: family for family in openmetrics_parser.text_string_to_metric_families(text)}
    check(families["target"].samples[0].labels["service_name"] == "shop", f"{name}: the service is named")
    return families


def main():
    collector = Collector()
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="dionysus-metrics."))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DIONYSUS_", "OTEL_"))}
    environment |= {
        "SOURCE_DATABASE_URL": f"sqlite:{directory}/source.sqlite",
        "REPLICA_DATABASE_URL": f"sqlite:{directory}/replica.sqlite",
        "DIONYSUS_SEED_BROKER": f"embedded:{directory}/log",
        "DIONYSUS_HEARTBEAT_DIRECTORY": f"{directory}/heartbeats",
    }
    telemetry = environment | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "DIONYSUS_LOG_LEVEL": "info",
    }

    def run(*arguments):
        subprocess.run([RENTALS, *arguments], env=environment, cwd=directory, check=True, stdout=subprocess.DEVNULL)

    run("migrate")
    run("seed", "--accounts", "5", "--rentals", "50", "--bookings", "200")
    ports = {"relay": free_port(), "consume": free_port()}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    processes, logs = {}, {}
    try:
        for name, port in ports.items():
            logs[name] = open(directory / f"{name}.log", "w+")
            processes[name] = subprocess.Popen(
                [RENTALS, name, "--http-port", str(port)], env=telemetry, cwd=directory, stderr=logs[name]
            )
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(pathlib.Path("Examples/Observability/prometheus/alerts.yml").resolve())],
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for name, port in ports.items()
            ],
        }
        (directory / "prometheus.yml").write_text(json.dumps(configuration))
        web = f"127.0.0.1:{free_port()}"
        processes["prometheus"] = subprocess.Popen(
            [
                PROMETHEUS / "prometheus", f"--config.file={directory}/prometheus.yml", f"--web.listen-address={web}",
                f"--storage.tsdb.path={directory}/tsdb", "--enable-feature=exemplar-storage",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        for name, url in urls.items():
            wait(f"{name} to be ready", lambda: get(url + "/health/ready")[0] == 200)
            status, content_type, text = get(url + "/health/live")
            check(status == 200 and json.loads(text)["status"] == "ok", f"{name} says that it lives")
        run("traffic", "--rate", "50", "--seconds", "5")

        print("What is scraped:")
        for name, url in urls.items():
            wait(
                f"{name} to have worked",
                lambda: re.search(r"dionysus_(relay_published|consumer_applied)_total\S* [1-9]", get(url + "/metrics")[2]),
            )
        relay = check_exposition("relay", urls["relay"])
        consume = check_exposition("consume", urls["consume"])
        stages = relay["dionysus_relay_stage_duration_seconds"]
        check(stages.type == "histogram" and stages.unit == "seconds", "durations are histograms of seconds")
        exemplars = [sample for family in [*relay.values(), *consume.values()] for sample in family.samples if sample.exemplar]
        check(exemplars and all(len(sample.exemplar.labels["trace_id"]) == 32 for sample in exemplars), f"{len(exemplars)} buckets have a trace")

        print("What Prometheus scrapes:")

        def query(expression):
            url = f"http://{web}/api/v1/query?query={urllib.request.quote(expression)}"
            return json.loads(get(url)[2])["data"]["result"]

        wait("Prometheus to scrape both", lambda: sum(int(sample["value"][1]) for sample in query("up")) == 2)
        check(True, "relay and consumer are up")
        wait("rows", lambda: query("sum(dionysus_relay_published_total) > 0"))
        wait("events", lambda: query("sum(dionysus_consumer_applied_total) > 0"))
        check(query("histogram_quantile(0.99, sum by (le) (dionysus_relay_stage_duration_seconds_bucket))"), "quantiles are computed")
        alerts = json.loads(get(f"http://{web}/api/v1/alerts")[2])["data"]["alerts"]
        firing = [alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"]
        check(not firing, f"no alert fires {firing}")

        print("What is sent:")
        wait("telemetry", lambda: all(collector.received[path] for path in REQUESTS))
        for name in ("relay", "consume"):
            processes[name].send_signal(signal.SIGTERM)
            check(processes[name].wait(60) == 0, f"{name} ends with 0")
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        for name, log in logs.items():
            log.seek(0)
            text = log.read()
            log.close()
            if sys.exc_info()[0] or os.environ.get("CONFORMANCE_VERBOSE"):
                print(f"--- {name} ---\n{text[-3000:]}", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
    check(not collector.faults, f"the collector finds no fault {collector.faults[:3]}")
    check(not collector.repeated, "what the busy collector didn't take was sent again, to the byte")

    metrics = [m for r in collector.received["/v1/metrics"] for rm in r.resource_metrics for sm in rm.scope_metrics for m in sm.metrics]
    names = {metric.name for metric in metrics}
    check({"dionysus.relay.published", "dionysus.consumer.applied", "dionysus.telemetry.sent"} <= names, f"{len(names)} metrics")
    for metric in metrics:
        if metric.HasField("histogram"):
            for point in metric.histogram.data_points:
                assert len(point.bucket_counts) == len(point.explicit_bounds) + 1 and sum(point.bucket_counts) == point.count
                assert list(point.explicit_bounds) == sorted(point.explicit_bounds)
            assert metric.histogram.aggregation_temporality == 2
        if metric.HasField("sum"):
            assert metric.sum.is_monotonic and metric.sum.aggregation_temporality == 2
            assert all(0 < p.start_time_unix_nano <= p.time_unix_nano for p in metric.sum.data_points)
    resources = [rm.resource for request in collector.received["/v1/metrics"] for rm in request.resource_metrics]
    for resource in resources:
        attributes = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
        assert attributes["service.name"] == "shop" and attributes["deployment.environment.name"] == "test"
    instances = {a.value.string_value for r in resources for a in r.attributes if a.key == "service.instance.id"}
    check(len(instances) == 2, "both processes have an id of their own")

    spans = [s for r in collector.received["/v1/traces"] for rs in r.resource_spans for ss in rs.scope_spans for s in ss.spans]
    kinds = {span.kind for span in spans}
    check(spans and kinds == {4, 5}, f"{len(spans)} spans, of producers and consumers")
    assert all(len(s.trace_id) == 16 and len(s.span_id) == 8 and s.start_time_unix_nano <= s.end_time_unix_nano for s in spans)
    sent = {(span.trace_id, span.span_id) for span in spans if span.kind == 4}
    links = {(link.trace_id, link.span_id) for span in spans if span.kind == 5 for link in span.links}
    check(sent & links, "spans of consumers are linked to those of producers, through the log")
    check(all(any(a.key == "messaging.system" for a in span.attributes) for span in spans), "spans have their attributes")

    records = [l for r in collector.received["/v1/logs"] for rl in r.resource_logs for sl in rl.scope_logs for l in sl.log_records]
    check(records and all(l.body.string_value and l.severity_number for l in records), f"{len(records)} log messages")
    print("conformance-metrics: everything is as it should be")


main()
