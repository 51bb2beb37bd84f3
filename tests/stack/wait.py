"""Waiting for a condition: the time bounds a failure, it measures nothing."""
import time


def wait_until(what, timeout_s=90, why="it", every_s=0.05):
    """The first true answer of what()."""
    end = time.monotonic() + timeout_s
    while not (answer := what()):
        assert time.monotonic() < end, f"waited {timeout_s} s in vain for {why}; last answer: {answer!r}"
        time.sleep(every_s)
    return answer


def wait_for(what, condition, timeout_s=90, every_s=0.1):
    """The same, told in the other order."""
    return wait_until(condition, timeout_s, what, every_s)
