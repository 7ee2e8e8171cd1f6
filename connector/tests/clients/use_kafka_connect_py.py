"""kafka-connect-py: the command line `kc`, every command that it has, and of its library what has no command."""

import json

from kafka_connect.kafka_connect import KafkaConnect

from common import CLASS, CONFIG, NAME, TOPIC, URL, configured, program, until, until_state

kc = program("kc", "--url", URL)
library = KafkaConnect(URL)


def told(*arguments):
    """A command that answers in JSON."""
    code, printed = kc(*arguments)
    assert code == 0, printed
    try:
        return json.loads(printed)
    except ValueError:
        raise AssertionError(f"kc {arguments} says no JSON: {printed}") from None


def done(*arguments):
    """A command that answers with nothing, unless it failed."""
    assert kc(*arguments) == (0, ""), kc(*arguments)


def is_in(state):
    """Waits until the connector and its task are in this state."""
    until_state(lambda: told("status", NAME), state)


info = told("info")
assert {"version", "commit", "kafka_cluster_id"} <= info.keys() and info["kafka_cluster_id"], info
assert CLASS in [plugin["class"] for plugin in told("list-plugins")]
# The command sends its settings as JSON within a string of JSON, which Kafka Connect refuses with 500 as well; the library does not.
_, refused = kc("validate-config", CLASS, "--config-data", json.dumps(configured(CONFIG)))
assert "500" in refused, refused
valid = library.validate_connector_config(CLASS, configured(CONFIG))
assert valid["error_count"] == 0 and valid["name"] == CLASS, valid
wrong = library.validate_connector_config(CLASS, configured({**CONFIG, "tasks.max": "none"}))
(entry,) = [config["value"] for config in wrong["configs"] if config["value"]["name"] == "tasks.max"]
assert wrong["error_count"] == len(entry["errors"]) > 0, entry

created = told("create", "--config-data", json.dumps({"name": NAME, "config": CONFIG}))
assert created["name"] == NAME and created["config"] == configured(CONFIG) and created["type"] == "sink", created
_, refused = kc("create", "--config-data", json.dumps({"name": NAME, "config": CONFIG}))
assert "409" in refused, refused
is_in("RUNNING")
assert told("get", NAME) == {**created, "tasks": [{"connector": NAME, "task": 0}]}
assert told("config", NAME) == configured(CONFIG)
assert NAME in told("list")
assert told("list", "--expand", "info", "--pattern", f"^{NAME}$")[NAME]["info"]["config"] == configured(CONFIG)
assert told("list", "--expand", "status", "--pattern", f"^{NAME}$", "--state", "running")[NAME]["status"]["name"] == NAME
assert not told("list", "--expand", "status", "--pattern", f"^{NAME}$", "--state", "paused")
(task,) = told("list-tasks", NAME)
assert task["id"] == {"connector": NAME, "task": 0} and task["config"], task
assert told("task-status", NAME, "0")["state"] == "RUNNING"
until("its topic", lambda: told("list-topics", NAME) == {NAME: {"topics": [TOPIC]}})
until("no topic", lambda: told("reset-topics", NAME) is None and told("list-topics", NAME) == {NAME: {"topics": []}})

changed = {**CONFIG, "linger.ms": "123"}
assert told("update", NAME, "--config-data", json.dumps(changed))["config"] == configured(changed)
is_in("RUNNING")
done("pause", NAME)
is_in("PAUSED")
done("resume", NAME)
is_in("RUNNING")
assert told("restart", NAME)["name"] == NAME
assert told("restart", NAME, "--include-tasks", "--only-failed")["name"] == NAME
assert told("restart", NAME, "--include-tasks")["name"] == NAME
is_in("RUNNING")
assert told("restart-task", NAME, "0") is None
is_in("RUNNING")

# Those of all connectors, with the one that is meant picked by its name.
only = ("--all", "--pattern", f"^{NAME}$")
done("pause", *only)
is_in("PAUSED")
done("resume", *only, "--state", "PAUSED")
is_in("RUNNING")
assert list(told("restart", *only, "--include-tasks")) == [NAME]
is_in("RUNNING")

# `stop` is in the library alone.
library.stop_connector(NAME)
until("STOPPED", lambda: told("status", NAME)["connector"]["state"] == "STOPPED" and not told("status", NAME)["tasks"])
library.resume_connector(NAME)
is_in("RUNNING")

done("delete", NAME)
for command in ("get", "config", "status", "list-tasks", "pause", "delete"):
    _, said = kc(command, NAME)
    assert "404" in said, (command, said)
library.create_connector({"name": NAME, "config": CONFIG})
is_in("RUNNING")
done("delete", *only)
assert NAME not in told("list")
