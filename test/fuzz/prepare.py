#!/usr/bin/env python3
"""Seeds and words for the fuzzer of the policy loader: prepare.py SEEDS DICTIONARY. Small texts (the broken policies' own parts) are tried much faster
than whole policies, and the words of the language lead to its keys."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "policy"))
from broken import broken_policies  # noqa: E402

SEED_BYTES_MAX = 500


def words(schema):
    """Names of keys and words that can be chosen, wherever they stand in the description of the language."""
    found = set()
    if isinstance(schema, dict):
        found |= {schema[k] for k in ("name", "default") if isinstance(schema.get(k), str)}
        schema = [v for k, v in schema.items() if k != "help"]
    if isinstance(schema, list):
        for part in schema:
            found |= {part} if isinstance(part, str) else words(part)
    return found


def main():
    seeds, dictionary = Path(sys.argv[1]), Path(sys.argv[2])
    seeds.mkdir(parents=True, exist_ok=True)
    for n, broken in enumerate(broken_policies()):
        text = broken.policy().encode()
        if len(text) <= SEED_BYTES_MAX:
            (seeds / f"broken-{n}").write_bytes(text)
    known = words(json.loads((ROOT / "rules" / "policy.schema.json").read_text())) | {"version = 1;", "@include", "${labels.", "${params.", "=~", "!~", " per 1h", "none", "= (", "= {", " };", " );"}
    assert len(known) > 100, "the description of the language is written in another way"
    known = sorted(w for w in known if re.fullmatch(r"[ -~]{2,64}", w))
    dictionary.write_text("".join('"' + w.replace("\\", "\\\\").replace('"', '\\"') + '"\n' for w in known))
    print(f"{len(list(seeds.iterdir()))} seeds, {len(known)} words")


if __name__ == "__main__":
    main()
