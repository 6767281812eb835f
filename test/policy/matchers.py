#!/usr/bin/env python3
"""Does heald read matchers as Alertmanager does, in both directions? matchers.py HEALD_READS ALERTMANAGER_READS [SEED COUNT]

HEALD_READS is test/policy/matchers.c, ALERTMANAGER_READS deploy/local/alertmanager/matchers (Alertmanager's own parsers and regular expressions).
Every text of the corpus is taken by both, or refused by both; taken, it has the same operator, name and value, and matches the same values; and what
heald writes of it is read by Alertmanager as the same again. heald takes less on purpose where Alertmanager would guess: see narrower()."""

import json
import subprocess
import sys

UNSUPPORTED = ["(?<"]  # RE2 before 2023 lacks the second way to write a named group; (?P<n>...) is there


def lines(command, given=""):
    out = subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.split("\n") if line]


def outside_quotes(text):
    out, inside, i = "", False, 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text):
            out += "" if inside or text[i + 1] == '"' else text[i + 1]
            i += 2
            continue
        if text[i] == '"':
            inside = not inside
        elif not inside:
            out += text[i]
        i += 1
    return out


def narrower(text, theirs, error):
    """What heald refuses though Alertmanager takes it, each with an error that says what to write instead."""
    bare = outside_quotes(text)
    if theirs["number"] != 1:
        return True  # a list of matchers, or none: in a policy every matcher is a string of its own
    if "," in bare and ("comma" in error or "one matcher a string" in error or "put it in quotes" in error):
        return True
    if ("{" in bare or "}" in bare) and "braces" in error:
        return True
    if theirs["op"] in ("=", "!=", "=~", "!~") and theirs["value"] == "" and "has no value" in error:
        return True  # name= without a value: the absent label is written ""
    if theirs["name"] == "" and "no label name" in error:
        return True
    if any(c.isspace() and (c > "\x7f" or c == "\v") for c in bare) and ("not plain" in error or "quotes" in error or "no operator" in error or "one matcher a string" in error or "no label name" in error):
        return True  # spaces that nobody sees
    if "unexpected )" in error:
        return True  # a=~"b)(c" closes the group that Alertmanager itself puts around it
    return "regular expression" in error and any(u in text for u in UNSUPPORTED)


def difference(theirs, ours):
    text = theirs["text"]
    if theirs["number"] != 1:
        return None if "error" in ours else f"Alertmanager takes {theirs['number']} matchers of it ({theirs.get('error', 'no error')}), heald one: {ours}"
    if "error" in ours:
        return None if narrower(text, theirs, ours["error"]) else f"Alertmanager takes it, heald says: {ours['error']}"
    for key in ("op", "name", "value"):
        if ours[key] != theirs[key]:
            return f"{key} is {theirs[key]!r} for Alertmanager, {ours[key]!r} for heald"
    for verdict, match in zip(theirs["verdicts"], ours["matches"], strict=True):
        if verdict["matches"] != match:
            return f"a label of the value {verdict['value']!r} {'matches' if verdict['matches'] else 'does not match'} for Alertmanager"
    return None


def main():
    heald, alertmanager = sys.argv[1], sys.argv[2]
    seed, count = (sys.argv[3:5] + ["1", "20000"][len(sys.argv) - 3:])[:2]
    theirs = lines([alertmanager, "make", seed, count])
    ours = lines([heald], "".join(json.dumps({"text": t["text"], "verdicts": t.get("verdicts", [])}) + "\n" for t in theirs))
    problems = [(t["text"], p) for t, o in zip(theirs, ours, strict=True) if (p := difference(t, o))]
    read = [o for o in ours if "error" not in o]
    again = lines([alertmanager, "read"], "".join(json.dumps({"text": o["written"]}) + "\n" for o in read))
    problems += [(o["written"], f"heald wrote this of {o['op']} {o['name']!r} {o['value']!r}, Alertmanager reads {a}")
                 for o, a in zip(read, again, strict=True) if (a.get("op"), a["name"], a["value"]) != (o["op"], o["name"], o["value"])]
    if len(read) < len(theirs) // 20 or len(read) == len(theirs):
        problems.append(("the corpus", f"{len(read)} of {len(theirs)} are matchers: it proves one side only"))
    for text, problem in problems[:40]:
        print(f"FAILED  {text!r}: {problem}")
    print(f"matchers: {len(theirs)} texts, {len(read)} taken by both")
    print(f"{len(theirs) + len(read) - len(problems)} passed, {len(problems)} failed, 0 skipped")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
