"""A file that another process is still writing: of what crosses a page the beginning may be seen alone, so only whole lines count."""
from pathlib import Path


def whole_text(path):
    """All of it up to the end of the last whole line; "" while there is none, or no file."""
    path = Path(path)
    text = path.read_bytes() if path.exists() else b""
    return text[:text.rfind(b"\n") + 1].decode(errors="replace")


def whole_lines(path, at):
    """The lines from byte `at` on, and where to go on next time."""
    if not path.exists():
        return [], at
    with open(path, "rb") as file:
        file.seek(at)
        whole, end, _ = file.read().rpartition(b"\n")
    return whole.decode().split("\n") if end else [], at + len(whole + end)
