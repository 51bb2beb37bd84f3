"""One running system for all tests that only look at it; those that break things start their own."""
import os
from pathlib import Path

import pytest
from stack.ports import Ports
from stack.stack import Stack

BUILD = os.environ.get("VIGIE_BUILD") or "build"
os.environ["TSAN_OPTIONS"] = os.environ.get("TSAN_OPTIONS", "") + f":suppressions={Path(__file__).parents[1] / 'tsan.supp'}"


@pytest.fixture(scope="session")
def fleet_of_three(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("system"), Ports.free(3), vehicles=3, build=BUILD, tell=print,
                  ingest_args=["--count-wait=1s", "--late-wait=1s"])
    try:
        yield stack.start()
    finally:
        stack.stop()


@pytest.fixture
def own_stack(tmp_path):
    """own_stack(vehicles=2) starts one for this test alone."""
    stacks = []

    def start(vehicles=1, **more):
        stack = Stack(tmp_path / f"system-{len(stacks)}", Ports.free(vehicles), vehicles=vehicles, build=BUILD, tell=print, **more)
        stacks.append(stack)
        return stack.start()

    yield start
    for stack in stacks:
        stack.stop()
