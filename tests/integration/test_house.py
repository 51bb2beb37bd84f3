"""The house rules hold, and each of them sees what it is there to see."""
import pytest

import house


@pytest.mark.parametrize("rule", house.RULES)
def test_the_tree_keeps_the_rule_of(rule):
    assert list(house.RULES[rule](house.Tree())) == []


def tree(folder, **files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return house.Tree(folder)


@pytest.mark.parametrize("name, line, is_wrong", [
    ("proto/a.h", '#include "lib/log.h"', True),
    ("proto/a.h", "#include <curl/curl.h>", True),
    ("lib/a.c", '#include "lib/store/line.h"', True),
    ("lib/a.c", '#include "store/line.h"', True),
    ("lib/a.c", '#include "../services/api/b.h"', True),
    ("lib/a.c", '#include "proto/vin.h"', False),
    ("lib/store/a.c", '#include "lib/log.h"', False),
    ("lib/store/a.c", '#include "services/api/b.h"', True),
    ("services/api/a.c", '#include "services/ingest/b.h"', True),
    ("services/api/a.c", '#include "lib/store/line.h"', False),
    ("services/api/a.c", '  #  include   <jwt.h>', True),
    ("services/api/token.c", "#include <jwt.h>", False),
    ("services/broker/a.c", '#include "lib/log.h"', True),
    ("vehicle/a.c", '#include "lib/store/line.h"', True),
    ("vehicle/a.c", '#include "services/api/b.h"', True),
    ("vehicle/a.c", "#include <libpq-fe.h>", True),
    ("vehicle/a.c", '#include "obd/link.h"', False),
    ("vehicle/obd/a.c", '#include "vehicle/inbox.h"', False),
    ("tests/unit/api/test_a.c", '#include "services/api/b.h"', False),
])
def test_a_room_may_include_what_lies_below_it_and_nothing_else(tmp_path, name, line, is_wrong):
    other = {"lib/store/line.h": "", "services/api/b.h": "", "services/ingest/b.h": "", "vehicle/obd/link.h": "",
             "vehicle/inbox.h": "", "lib/log.h": "", "proto/vin.h": ""}
    found = list(house.rooms(tree(tmp_path, **{**other, name: f"/* x */\n{line}\n"})))
    assert [f.split(": ")[0] for f in found] == ([f"{name}:2"] if is_wrong else [])


def test_a_file_of_500_lines_is_too_long(tmp_path):
    assert not list(house.length(tree(tmp_path, **{"lib/a.c": "\n" * 499})))
    assert list(house.length(tree(tmp_path, **{"lib/a.c": "\n" * 500})))


@pytest.mark.parametrize("name, text", [
    ("docs/A.md", "see /home/" + "somebody/notes"),
    ("README.md", "as in ../share" + "d/notes.md"),
    ("dashboard/.npmrc", "registry=http" + "://packages.example/npm"),
    ("dashboard/package-lock.json", '{"packages": {"a": {"resolved": "https://packages.example/a.tgz"}}}'),
])
def test_a_place_on_one_machine_is_found(tmp_path, name, text):
    assert list(house.words(tree(tmp_path, **{name: text})))
    assert list(house.words(tree(tmp_path, **{"tests/a.py": f"FOLDER = '{tmp_path}/x'"})))


def test_a_private_key_and_a_password_in_an_address_are_found(tmp_path):
    key = "-----BEGIN " + "PRIVATE KEY-----\n" + "A" * 64 + "\n"
    assert list(house.secrets(tree(tmp_path, **{"services/x.pem": key})))
    assert list(house.secrets(tree(tmp_path, **{"docs/A.md": "http://root:" + "hunter22@db:8086"})))


def test_a_room_without_a_page_and_a_link_to_nowhere_are_found(tmp_path):
    found = list(house.pages(tree(tmp_path, **{"lib/a.c": "", "README.md": "[x](docs/GONE.md) [y](https://example.org)"})))
    assert [f.split(": ")[0] for f in found] == ["lib/README.md", "README.md:1"]


def test_broken_python_and_broken_shell_are_found(tmp_path):
    files = {"a.py": "def f(:\n", "b.sh": "#!/bin/sh\nif true; then\n"}
    assert len(list(house.python(tree(tmp_path, **files)))) == 1
    assert len(list(house.shell(tree(tmp_path, **files)))) == 1


def test_a_member_that_a_stored_state_does_not_tell_is_found(tmp_path):
    told = 'static const struct layout_member of_hold[] = {\n    ONE(hold, a),\n    MANY(hold,\n         b),\n    IN(hold, d, x),\n};\n'
    header = "struct hold {\n    int64_t a; /* e, f; */\n    struct x b[2][N],%s d;\n};\n"
    files = {"services/ingest/car/fields_x.c": told, "lib/drive/hold.h": header}
    assert not list(house.fields(tree(tmp_path, **files | {"lib/drive/hold.h": header % ""})))
    assert len(list(house.fields(tree(tmp_path, **files | {"lib/drive/hold.h": header % " c,"})))) == 1
