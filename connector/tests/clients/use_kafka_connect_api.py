"""kafka-connect-api: every property and method of its classes for a cluster, its connectors and their tasks."""

import contextlib
import io

from kafka_connect_api.errors import ConnectGenericException
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector

from common import CLASS, CONFIG, NAME, URL, configured, until

cluster = Cluster(Api(url=URL))
connector = Connector(cluster, NAME)


def is_in(state):
    """Waits until the connector and its task are in this state."""
    until(state, lambda: connector.state == state and [task.state for task in connector.tasks] == [state])


def fails(code, call):
    """It is refused with this status, and a reason."""
    try:
        call()
    except ConnectGenericException as error:
        assert error.code == code and error.details, error
        return
    raise AssertionError(f"no {code}")


assert cluster.version and cluster.kafka_cluster and URL in repr(cluster), repr(cluster)
fails(404, connector.exists)
fails(404, lambda: connector.config)

connector.config = CONFIG
assert connector.exists() and repr(connector) == NAME
assert connector.config == configured(CONFIG) and connector.connector_class == CLASS
listed = cluster.connectors
assert NAME in listed and listed[NAME].status["name"] == NAME, listed
is_in("RUNNING")
(task,) = connector.tasks
assert task.is_running() and task.status["id"] == 0 and task.config and repr(task) == f"{NAME}.0", task.status

connector.pause()
is_in("PAUSED")
assert not task.is_running()
connector.resume()
is_in("RUNNING")
connector.restart()
task.restart()
connector.restart_all_tasks()
is_in("RUNNING")
connector.cycle_connector()
is_in("RUNNING")

# Settings that are refused: what is wrong with them is said, and nothing changes.
fails(400, lambda: setattr(connector, "config", {**CONFIG, "tasks.max": "none"}))
connector.config = {**CONFIG, "linger.ms": "123"}
assert connector.config == configured({**CONFIG, "linger.ms": "123"})

before = cluster.root_logger["level"]
cluster.root_logger = "DEBUG"
assert cluster.root_logger["level"] == "DEBUG", cluster.loggers
cluster.set_logger_log_level("root", before)
assert cluster.root_logger["level"] == before, cluster.loggers

connector.delete()
fails(404, connector.exists)
fails(404, connector.delete)
