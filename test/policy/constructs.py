"""Every construct of the language has a test, an error and its lines in the reference: constructs.txt says which, and this looks whether they exist."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

from broken import broken_policies

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Construct:
    def __init__(self, part):
        self.name, *lines = [line for line in part.split("\n") if line]
        self.lines = {kind: [line.split(" ", 1)[1] for line in lines if line.startswith(kind + " ")] for kind in ("key", "test", "error")}
        self.keys = [k for line in self.lines["key"] for k in line.split()]
        self.strange = [line for line in lines if line.split(" ")[0] not in self.lines]


def constructs():
    return [Construct(part) for part in (HERE / "constructs.txt").read_text().split("\n# ")[1:]]


def keys_of(keys, before=""):
    for key in keys:
        yield before + key["name"]
        yield from keys_of(key.get("keys", []), before + key["name"] + ".")


def known_tests():
    found = set()
    for file in [*HERE.glob("*_test.cfg"), *(ROOT / "rules" / "policies" / "tests").glob("*.cfg")]:
        for name in re.findall(r'^  \{ name = "((?:[^"\\]|\\.)*)"', file.read_text(), re.M):
            found.add(f"{file.stem.removesuffix('_test')}: {name}")
    return found


def is_unit_test(name):
    """`unit: FILE: WORD`: what `heald test` has no part for."""
    place = re.fullmatch(r"unit: (\w+\.c): (.+)", name)
    return place and place[2] in (ROOT / "test" / "unit" / place[1]).read_text()


def missing():
    """What is not as constructs.txt says, a line each."""
    schema = json.loads((ROOT / "rules" / "policy.schema.json").read_text())
    reference = (ROOT / "rules" / "REFERENCE.md").read_text()
    keys, tests, errors = list(keys_of(schema["keys"])), known_tests(), {f"{b.file}: {b.sentence}" for b in broken_policies()}
    all_constructs, out = constructs(), []
    for c in all_constructs:
        out += [f"{c.name}: has no {kind}" for kind, lines in c.lines.items() if not lines]
        out += [f"{c.name}: cannot be read: {line}" for line in c.strange]
        out += [f"{c.name}: there is no test \"{t}\"" for t in c.lines["test"] if t not in tests and not is_unit_test(t)]
        out += [f"{c.name}: there is no broken policy \"{e}\"" for e in c.lines["error"] if e not in errors]
        out += [f"{c.name}: there is no key \"{k}\"" for k in c.keys if k != "@include" and not any(fnmatchcase(key, k) for key in keys)]
    named = [k for c in all_constructs for k in c.keys]
    out += [f"the key {key} belongs to no construct" for key in keys if not any(fnmatchcase(key, k) for k in named)]
    out += [f"the reference lacks the key {key}" for key in keys if f"`{key.split('.')[-1]}`" not in reference]
    return out, len(all_constructs)
