#!/usr/bin/env python3
"""What the documents say, held against what is there: documents.py PROGRAM

Every file that a document links to exists; every limit that ARCHITECTURE.md names is in the sources; each guard of the program has its line, in order; the examples of
README.md are accepted by `heald check`. Ends with `N passed, N failed, N skipped`."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "kit"))
from cases import Cases, equal  # noqa: E402

FOLDERS = ("receiver", "actions", "rules", "grafana", "deploy", "test")
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted(f for name in FOLDERS for f in (ROOT / name).rglob("*.md"))


def links():
    broken = [f'{file.relative_to(ROOT)} links to "{link}"' for file in DOCUMENTS
              for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text()) if not (file.parent / link).exists()]
    assert len(DOCUMENTS) > 5, f"only {len(DOCUMENTS)} documents were found"
    assert not broken, "; ".join(broken)


def paths():
    """Files and folders that ARCHITECTURE.md names in backquotes."""
    named = re.findall(r"`((?:receiver|actions|rules|grafana|deploy|test)/[\w./-]+)`", (ROOT / "ARCHITECTURE.md").read_text())
    missing = [p for p in named if not (ROOT / p).exists()]
    assert named and not missing, f"named and not there: {missing}"


def limits():
    sources = "\n".join(f.read_text() for name in ("receiver", "actions", "rules", "grafana") for f in (ROOT / name).rglob("*.[ch]"))
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", (ROOT / "ARCHITECTURE.md").read_text()))
    missing = sorted(n for n in named if not re.search(rf"#define {n}\b|\b{n} =|\b{n},", sources))
    assert len(named) > 10, f"only {len(named)} names were found"
    assert not missing, f"not in the sources: {missing}"


def guards():
    table = re.findall(r'^    \{ "(\w+)", guard_\w+, (?:true|false) \},$', (ROOT / "rules" / "engine" / "guards.c").read_text(), re.M)
    section = (ROOT / "ARCHITECTURE.md").read_text().split("## Guards")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([\w, ]+) \| (?:(?:later|step|never|person)(?:, )?)+ \|", section, re.M)
    told = [name for row in rows for name in row.split(", ")]
    equal(told.pop(), "approval", "the last guard, which is asked behind the table")
    assert table, "no guards were found in the source"
    equal(told, table, "guards in ARCHITECTURE.md")


def states():
    """Each state of an incident has its row, with who ends it and by when."""
    source = (ROOT / "rules" / "engine" / "states.c").read_text()
    table = re.findall(r'\[STATE_(\w+)\] = \{ "([^"]*)",\s+"([^"]*)"', source)
    rows = [[c.strip() for c in r.strip()[1:-1].split("|")] for r in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if r.startswith("| ")]
    told = {r[0]: r for r in rows if len(r) == 5}
    assert len(table) == 8, table
    for name, owner, deadline in table:
        row = told.get(name.lower())
        assert row, f"state {name.lower()} has no row in ARCHITECTURE.md"
        assert row[-1] == owner, f"state {name.lower()} is ended by {owner}, not by {row[-1]}"
        assert deadline in row[-2], f"state {name.lower()}: {deadline}, not {row[-2]}"


def facts():
    names = re.findall(r'\[FACT_\w+\] = "(\w+)"', (ROOT / "rules" / "model" / "fact.c").read_text())
    section = (ROOT / "ARCHITECTURE.md").read_text().split("## The journal")[1].split("\n## ")[0]
    missing = [n for n in names if f"`{n}`" not in section]
    assert names and not missing, f"kinds of facts without a word in ARCHITECTURE.md: {missing}"


def example(program, begins):
    blocks = [b for b in re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S) if b.startswith(begins)]
    equal(len(blocks), 1, f'examples that begin with "{begins}"')
    with tempfile.TemporaryDirectory() as folder:
        text = blocks[0].replace("/var/lib/heald/", "")
        for name in re.findall(r'_file = "([^"]+)"', text):
            (Path(folder) / name).write_text(f"{name:x<32}\n")
        for name in re.findall(r'kubeconfig = "([^"]+)"', text):
            (Path(folder) / name).write_text(KUBECONFIG)
        (Path(folder) / "policy.cfg").write_text("version = 1;\n")
        option, file = ("--config", "heald.cfg") if begins == "listen" else ("--policy", "policy.cfg")
        (Path(folder) / file).write_text(text)
        run = subprocess.run([program, "check", option, file], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        equal(run.returncode, 0, f"exit status of heald check ({run.stdout}{run.stderr})")


KUBECONFIG = """{"apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
"users": [{"name": "u", "user": {"token": "t"}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}"""


def shown(program):
    """Every command is in the manual page, and offered by the shells' completion, with its options."""
    run = lambda *args: subprocess.run([program, *args], capture_output=True, text=True, check=True).stdout  # noqa: E731
    names = re.findall(r"^  (\w[\w-]*) +\S", run("help"), re.M)
    page = run("man")
    assert len(names) > 15, names
    missing = [n for n in names if f".SS {n}\n" not in page]
    assert not missing, f"not in the manual page: {missing}"
    lines = [n for n in page.splitlines() if n.startswith(".") and n.split()[0] not in (".TH", ".SH", ".SS", ".B", ".I", ".PP", ".TP", ".nf", ".fi")]
    assert not lines, f"lines that roff takes for requests: {lines}"
    with tempfile.NamedTemporaryFile("w", suffix=".bash") as f:
        f.write(run("completion", "bash"))
        f.flush()
        ask = f'source {f.name}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _heald; echo "${{COMPREPLY[@]}}"'
        offered = lambda *words: subprocess.run(["bash", "-c", ask, "_", *words], capture_output=True, text=True, check=True).stdout.split()  # noqa: E731
        equal(sorted(offered("heald", "")), sorted(names), "commands that bash offers")
        equal(offered("heald", "incidents", "--st"), ["--state"], "options that bash offers")
        equal(offered("heald", "serve", "--li"), ["--listen"], "options that bash offers")
    for shell in ("zsh", "fish"):
        words = run("completion", shell)
        missing = [n for n in names if n not in words]
        assert not missing, f"not offered by {shell}: {missing}"


def supervised(program):
    """systemd hears when heald is ready, lives, loads the policy again, and stops."""
    import os
    import signal
    import socket
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "heald.cfg").write_text('listen = "127.0.0.1:0";\n')
        (folder / "policy.cfg").write_text("version = 1; environments = (); rules = (); plans = {};\n")
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(str(folder / "notify"))
        s.settimeout(30)
        p = subprocess.Popen([program, "serve"], cwd=folder, stderr=subprocess.DEVNULL,
                             env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "10000000"})
        try:
            equal(s.recv(200).split(b"\n")[0], b"READY=1", "the first word")
            equal(s.recv(200), b"WATCHDOG=1", "a sign of life")
            p.send_signal(signal.SIGHUP)
            words = [s.recv(200).split(b"\n")[0] for _ in range(4)]
            assert [w for w in words if w != b"WATCHDOG=1"][:2] == [b"RELOADING=1", b"READY=1"], words
            p.terminate()
            while (word := s.recv(200).split(b"\n")[0]) == b"WATCHDOG=1":
                pass
            equal(word, b"STOPPING=1", "the last word")
            equal(p.wait(30), 0, "the exit status")
        finally:
            p.kill()
            p.wait()
            s.close()


def main():
    program = str(Path(sys.argv[1]).resolve())
    c = Cases("documents")
    c.check("every file that a document links to exists", links)
    c.check("every file that ARCHITECTURE.md names exists", paths)
    c.check("every limit that ARCHITECTURE.md names is in the sources", limits)
    c.check("ARCHITECTURE.md lists the guards in the program's order", guards)
    c.check("ARCHITECTURE.md has every state of an incident, who ends it and by when", states)
    c.check("ARCHITECTURE.md lists every kind of fact", facts)
    c.check("heald check accepts the policy of README.md", lambda: example(program, "version = 1"))
    c.check("heald check accepts the heald.cfg of README.md", lambda: example(program, "listen"))
    c.check("the manual page and the shells know every command", lambda: shown(program))
    c.check("systemd hears what heald does", lambda: supervised(program))
    sys.exit(c.end())


if __name__ == "__main__":
    main()
