"""Indexes that are added amid any history."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", reason="property tests need hypothesis, of the extra [dev]")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from kube_reflect import Apply, Delete, Init, InitApply, InitDone  # noqa: E402

from tests.store.test_indexers import by_node, on  # noqa: E402
from tests.support.cache_helpers import feed, listed, names  # noqa: E402


@given(st.lists(st.sampled_from(["apply a", "apply b", "delete a", "init", "list a", "list b",
                                 "done", "index"]), max_size=30))
def test_indexes_agree_with_the_objects_at_every_moment(history: list[str]) -> None:
    writer, store = listed()
    indexes = 0
    listing = False
    for number, what in enumerate(history, 1):
        name, where = what[-1], f"n{number % 3}"
        if what == "index":
            writer.add_index(f"node-{indexes}", by_node)
            indexes += 1
        elif what == "init":
            feed(writer, Init())
            listing = True
        elif what == "done" and listing:
            feed(writer, InitDone(str(number)))
            listing = False
        elif what.startswith("list") and listing:
            known = store.get(name, "ns")
            feed(writer, InitApply(known if known and number % 2 else on(name, where, str(number))))
        elif what.startswith("apply") and not listing:
            feed(writer, Apply(on(name, where, str(number))))
        elif what.startswith("delete") and not listing:
            feed(writer, Delete(on(name, where, str(number))))
        expected: dict[str, list[str]] = {}
        for obj in store:
            expected.setdefault(obj["spec"]["nodeName"], []).append(obj["metadata"]["name"])
        for index in range(indexes):
            assert {value: names(store.by_index(f"node-{index}", value))
                    for value in store.index_values(f"node-{index}")} == {
                value: sorted(found) for value, found in expected.items()}
