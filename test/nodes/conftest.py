"""The user's side of the graph, once for each module."""

from collections.abc import Iterator

import pytest
from graph import Graph


@pytest.fixture(scope="module")
def graph() -> Iterator[Graph]:
    """The user's side of the graph."""
    graph = Graph()
    yield graph
    graph.close()
