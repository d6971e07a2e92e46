"""Ray clusters of this machine, for tests and studies in which nodes are killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ecg_rhythm.cluster import LOCAL


@contextmanager
def empty_cluster() -> Iterator[Any]:
    """Start a Ray cluster without a place for work; it listens on 127.0.0.1 alone."""
    variables = LOCAL | {"RAY_AUTH_TOKEN": "0" * 64}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    from ray.cluster_utils import Cluster  # Ray reads its variables when it is imported

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield cluster
    finally:
        cluster.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def add_node(cluster: Any) -> Any:
    """Add a node with one processor core."""
    return cluster.add_node(num_cpus=1, include_dashboard=False)
