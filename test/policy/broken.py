"""Broken policies, and what `heald check` says of them: broken/*.txt.

A case begins with `# ` and a sentence, then one word that says what the text behind it is put into (WRAPS), then the text, and then what is told of it, each
line beginning with `> ` and line and column of the text. It has to be told as it stands there, and nothing else. Warnings are looked at where one is
expected. `+ config` behind the word: heald.cfg (CONFIG) is there too."""

import re
from pathlib import Path

ENVIRONMENT = 'environments = ( { name = "e"; match = [ "namespace=shop" ]; mode = "act"; } );'
RULE = 'rules = ( { name = "r"; match = [ "alertname=X" ]; target = { from = "deployment"; }; plan = "p"; } );'
PLAN = 'plans = { p = { steps = ( { do = "restart"; } ); }; };'
WRAPS = {  # the text stands on lines of its own
    "policy": ("", ""),
    "parts": (f"version = 1; {ENVIRONMENT} {RULE} {PLAN}\n", "\n"),
    "environment": (f'version = 1; {RULE} {PLAN} environments = ( {{ name = "e"; match = [ "namespace=shop" ]; mode = "act";\n', "\n} );\n"),
    "window": (f'version = 1; {ENVIRONMENT} {RULE} {PLAN} windows = ( {{ name = "w";\n', "\n} );\n"),
    "rules": (f"version = 1; {ENVIRONMENT} {PLAN} rules = (\n", "\n);\n"),
    "rule": (f'version = 1; {ENVIRONMENT} {PLAN} rules = ( {{ name = "r"; match = [ "alertname=X" ]; target = {{ from = "deployment"; }}; plan = "p";\n', "\n} );\n"),
    "target": (f'version = 1; {ENVIRONMENT} {PLAN} rules = ( {{ name = "r"; match = [ "alertname=X" ]; plan = "p"; target = {{\n', "\n}; } );\n"),
    "plan": (f"version = 1; {ENVIRONMENT} {RULE} plans = {{ p = {{\n", "\n}; };\n"),
    "step": (f"version = 1; {ENVIRONMENT} {RULE} plans = {{ p = {{ steps = (\n", "\n); }; };\n"),
}


# What a policy names of heald.cfg.
CONFIG = """journal = "journal.db"; policy = "p.cfg"; sources = ( { name = "alertmanager"; token_file = "token"; } );
operators = ( { name = "anna"; token_file = "token2"; roles = [ "approve" ]; groups = [ "sre" ]; } );
prometheus = { url = "http://127.0.0.1:9"; }; alerts = { settle = "15m"; };
"""


class Broken:
    def __init__(self, file, sentence, lines):
        self.file, self.sentence, (self.wrap, *options) = file, sentence, lines[0].split(" + ")
        self.config = CONFIG if "config" in options else None
        self.text = "\n".join(line for line in lines[1:] if not line.startswith("> "))
        self.told = [line[2:] for line in lines[1:] if line.startswith("> ")]
        self.warns = any(": warning: " in line for line in self.told)

    def policy(self):
        before, after = WRAPS[self.wrap]
        return before + self.text + after

    def heard(self, stdout, stderr, name):
        """What was told, with lines as in the text."""
        out, above = [], WRAPS[self.wrap][0].count("\n")
        for line in stderr.splitlines() + (stdout.splitlines() if self.warns else []):
            if line.endswith("--strict takes none") or re.search(r": OK\b", line):
                continue
            line = re.sub(r'(there are "escalate", "restart"|the keys here are "name", "(?:match|enabled)").*(?= \[)', r"\1 and others", line)  # they grow
            place = re.match(re.escape(name) + r":(\d+)(:\d+)?: ", line)
            if place:
                out.append(f"{int(place[1]) - above}{place[2] or ''}: {line[place.end():]}")
            elif not line.startswith(" "):
                out.append(re.sub("^" + re.escape(name), "FILE", line))
        return out


def broken_policies():
    found = []
    for file in sorted((Path(__file__).resolve().parent / "broken").glob("*.txt")):
        for part in ("\n" + file.read_text()).split("\n# ")[1:]:
            lines = part.rstrip("\n").split("\n")
            found.append(Broken(file.stem, lines[0], lines[1:]))
    return found
