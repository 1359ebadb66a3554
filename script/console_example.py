"""The example application with its console, in a directory of its own, for scripts that look at it with a browser."""

import json
import os
import re
import sqlite3
import subprocess
import tempfile
import time
import urllib.request

# RENTALS names another build of it.
PROGRAM = os.environ.get("RENTALS") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".build", "debug", "rentals"
)


class Example:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="dionysus-console-")
        self.processes = []
        path = self.directory.name
        os.mkdir(f"{path}/heartbeats", mode=0o700)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("DIONYSUS_")} | {
            "SOURCE_DATABASE_URL": f"sqlite:{path}/source.sqlite",
            "REPLICA_DATABASE_URL": f"sqlite:{path}/replica.sqlite",
            "DIONYSUS_SEED_BROKER": f"embedded:{path}/log.sqlite",
            "DIONYSUS_HEARTBEAT_DIRECTORY": f"{path}/heartbeats",
            # So that a run of few records has chunks that aren't due yet.
            "DIONYSUS_GENESIS_CHUNK_SIZE": "10",
        }

    def run(self, *arguments):
        """Runs a command to its end."""
        subprocess.run([PROGRAM, *arguments], env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def start(self, *arguments, **environment):
        """Starts a command that goes on."""
        log = open(os.path.join(self.directory.name, f"{arguments[0]}.log"), "w+")
        process = subprocess.Popen([PROGRAM, *arguments], env=self.environment | environment, stdout=log, stderr=log)
        process.log = log.name
        self.processes.append(process)
        return process

    def console(self, *arguments, **environment):
        """Starts the console, and waits until it says where it is."""
        process = self.start("console", "--port", "0", *arguments, **environment)
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None:
            found = re.search(r"the console is at (http://\S+)/", open(process.log).read())
            if found:
                self.address = found.group(1)
                return self.address
            time.sleep(0.05)
        raise AssertionError(f"the console didn't start: {open(process.log).read()}")

    def stop(self, process):
        process.terminate()
        process.wait()
        self.processes.remove(process)

    def write(self, script, replica=False):
        """Runs SQL on the source or the replica."""
        name = "replica" if replica else "source"
        connection = sqlite3.connect(f"{self.directory.name}/{name}.sqlite", timeout=30)
        connection.executescript(script)
        connection.close()

    def get(self, path):
        with urllib.request.urlopen(self.address + path, timeout=30) as answer:
            return json.load(answer)

    def until(self, what, condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {seconds} s")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        self.directory.cleanup()
