"""What the scripts beside this one share. Each drives one client of Kafka Connect, as its users do, against a worker of Sluice.

The test that runs them (tests/it/clients.rs) names the worker, a connector that is not there yet, and its settings in the environment.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

URL = os.environ["CLIENT_URL"]
BROKERS = os.environ["CLIENT_BROKERS"]
NAME = os.environ["CLIENT_CONNECTOR"]
CONFIG = json.loads(os.environ["CLIENT_CONFIG"])
CLASS = CONFIG["connector.class"]
TOPIC = CONFIG["topics"]

# As long as the tests wait for anything.
DEADLINE_S = 60


def until(what, look):
    """Looks until there is something."""
    started = time.monotonic()
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() - started < DEADLINE_S, f"waited in vain for {what}"
        time.sleep(0.02)


def until_state(status, state):
    """Waits until the connector and its tasks are in this state, by the status that a client shows."""

    def look():
        shown = status()
        return {shown["connector"]["state"], *(task["state"] for task in shown["tasks"])} == {state}

    until(state, look)


def program(name, *options):
    """A command-line client of this environment: a function from arguments to (exit code, what it printed)."""
    path = str(pathlib.Path(sys.executable).parent / name)

    def run(*arguments):
        done = subprocess.run([path, *options, *arguments], capture_output=True, text=True, timeout=DEADLINE_S)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    return run


def configured(config):
    """The settings as a worker gives them back: with the connector's name."""
    return {**config, "name": NAME}
