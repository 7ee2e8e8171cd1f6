"""kafkaconnect: every command of its command line; its makers of connectors meet a worker that has none of their classes."""

import json
import tempfile

from common import BROKERS, CLASS, CONFIG, NAME, TOPIC, URL, configured, program, until, until_state

kafkaconnect = program("kafkaconnect", "--broker", BROKERS, "--connect", URL)


def said(*arguments):
    """What it prints."""
    code, printed = kafkaconnect(*arguments)
    assert code == 0, (arguments, printed)
    return printed.strip()


def told(*arguments):
    """A command that answers in JSON."""
    return json.loads(said(*arguments))


def is_in(state):
    """Waits until the connector and its task are in this state."""
    until_state(lambda: told("status", NAME), state)


assert CLASS in [plugin["class"] for plugin in told("plugins")]
assert "not found" in said("info", NAME)
with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    json.dump(configured(CONFIG), file)
    file.flush()
    checked = said("upload", file.name, "--name", NAME, "--dry-run")
    assert '"error_count": 0' in checked and NAME not in told("list"), checked
    said("upload", file.name, "--name", NAME)
assert NAME in told("list")
is_in("RUNNING")
assert told("info", NAME)["name"] == NAME
assert told("config", NAME) == configured(CONFIG)
(task,) = told("tasks", NAME)
assert task["id"] == {"connector": NAME, "task": 0}, task
until("its topic", lambda: told("topics", NAME) == {NAME: {"topics": [TOPIC]}})
assert said("pause", NAME) == ""
is_in("PAUSED")
assert said("resume", NAME) == ""
is_in("RUNNING")
assert said("restart", NAME) == ""
is_in("RUNNING")
assert said("delete", NAME) == ""
assert "not found" in said("status", NAME)

# What it would make is a connector of somebody else's class, in settings of that class: it is told so, and nothing is made.
made = f"{NAME}-made"
makes = ("create", "influxdb-sink", "--name", made, "--database", "prices", TOPIC)
settings = told(*makes, "--dry-run")
assert settings["connector.class"] != CLASS and settings["topics"] == TOPIC, settings
refused = told(*makes, "--validate")
assert settings["connector.class"] in refused["message"] and CLASS in refused["message"], refused
assert settings["connector.class"] in said(*makes)
assert made not in told("list")

# Those makers that take their settings from a file make what the file says, also one of ours.
with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
    json.dump(configured(CONFIG), file)
    file.flush()
    checked = said("create", "jdbc-sink", "--dry-run", file.name)
    assert json.loads(checked)["error_count"] == 0, checked
    said("create", "jdbc-sink", file.name)
is_in("RUNNING")
assert said("delete", NAME) == ""
