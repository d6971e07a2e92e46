"""Ray clusters of this machine, for tests in which nodes are killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def empty_cluster() -> Iterator[Any]:
    """A Ray cluster without a place for work; it listens on 127.0.0.1 alone."""
    from ecg_rhythm.cluster import LOCAL

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (LOCAL | {"RAY_AUTH_TOKEN": "0" * 64}).items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster  # Ray reads its variables when it is imported

        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        yield started
        started.shutdown()


def add_node(cluster: Any) -> Any:
    """Add a node with one processor core."""
    return cluster.add_node(num_cpus=1, include_dashboard=False)
