"""A policy file that changes while heald runs: taken over by itself when it is right, told and left when it is not."""

import os

from cases import equal
from world import http, wait_until


def reloads(c, heald):
    """`heald` was made and not started yet."""
    policy = heald.folder / "policy.cfg"
    good = policy.read_text()

    def in_force():
        return heald.status()["policy"]

    def wait_for_another(before, what):
        wait_until(what, lambda: in_force() != before, 15, 0.2)

    def metric(result):
        lines = http("GET", heald.url + "/metrics")[1].decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f'heald_policy_reloads_total{{result="{result}"}}'))

    def edited():
        before = in_force()
        policy.write_text(good + "# one word more\n")
        wait_for_another(before, "an edit in place being in force")
        other = policy.with_suffix(".next")
        before = in_force()
        other.write_text(good + "# another one\n")
        other.rename(policy)
        wait_for_another(before, "a file renamed over it being in force")

    def mounted():
        """As the kubelet swaps a ConfigMap: policy.cfg -> ..data/policy.cfg, ..data -> a folder."""
        for n in ("1", "2"):
            (heald.folder / n).mkdir()
            (heald.folder / n / "policy.cfg").write_text(good + f"# mount {n}\n")
        (heald.folder / "..data").symlink_to("1")
        policy.unlink()
        before = in_force()
        policy.symlink_to("..data/policy.cfg")
        wait_for_another(before, "a link in the file's place being in force")
        before = in_force()
        (heald.folder / "..next").symlink_to("2")
        os.rename(heald.folder / "..next", heald.folder / "..data")
        wait_for_another(before, "the folder behind the link being in force")

    def parts(folder, word, note="kept"):
        """A policy in three files: its own, an included one, a team's."""
        folder.mkdir(exist_ok=True)
        (folder / "policy.cfg").write_text(good + '\n@include "more.cfg"\nteams = ( { name = "shop"; file = "team.cfg"; namespaces = [ "shop" ]; may = [ "restart" ]; } );\n')
        (folder / "more.cfg").write_text(f'windows = ( {{ name = "{word}"; from = "01:00"; to = "02:00"; }} );\n')
        (folder / "team.cfg").write_text(f'version = 1; plans = {{ again = {{ steps = ( {{ do = "restart"; }} ); }}; }};\nrules = ( {{ name = "{word}"; match = [ "alertname=Shop" ]; '
                                         f'target = {{ from = "deployment"; }}; plan = "again"; note = "{note}"; }} );\n')

    def included():
        before = in_force()
        policy.unlink()
        parts(heald.folder, "first")
        wait_for_another(before, "a policy in three files being in force")
        for name in ("more.cfg", "team.cfg"):
            before, file = in_force(), heald.folder / name
            file.write_text(file.read_text().replace("first", "second"))
            wait_for_another(before, f"an edit of {name} being in force")
        failures, file = metric("failure"), heald.folder / "team.cfg"
        text = file.read_text()
        before = in_force()
        file.write_text(text.replace("note =", "nota ="))
        error = wait_until("/status naming the error of the team's file", lambda: heald.status().get("policy_error"), 15, 0.2)
        assert "team.cfg" in error, error
        equal(in_force(), before, "the policy in force")
        equal(metric("failure"), failures + 1, "failed reloads counted")
        file.write_text(text.replace("kept", "mended"))
        wait_for_another(before, "the mended file of the team being in force")
        equal(heald.status().get("policy_error"), None, "the error")

    def mounted_whole():
        """All three behind links, as a ConfigMap is mounted; one swap changes them all, and the policy is read once."""
        for name in ("policy.cfg", "more.cfg", "team.cfg"):
            (heald.folder / name).unlink()
        parts(heald.folder / "3", "third")
        parts(heald.folder / "4", "fourth")
        (heald.folder / "..data").unlink()
        (heald.folder / "..data").symlink_to("3")
        before = in_force()
        for name in ("more.cfg", "team.cfg", "policy.cfg"):
            (heald.folder / name).symlink_to(f"..data/{name}")
        wait_for_another(before, "the mounted files being in force")
        before, successes = in_force(), metric("success")
        (heald.folder / "..next").symlink_to("4")
        os.rename(heald.folder / "..next", heald.folder / "..data")
        wait_for_another(before, "the swapped files being in force")
        equal(metric("success"), successes + 1, "reloads")
        for name in ("policy.cfg", "more.cfg", "team.cfg"):
            (heald.folder / name).unlink()
        before = in_force()
        policy.write_text(good)
        wait_for_another(before, "one file being in force again")

    def broken():
        before, failures = in_force(), metric("failure")
        policy.unlink()
        policy.write_text(good.replace("version = 1", "verson = 1"))
        error = wait_until("/status naming the error", lambda: heald.status().get("policy_error"), 15, 0.2)
        assert "policy.cfg" in error and '"version"' in error, error
        equal(in_force(), before, "the policy in force")
        equal(metric("failure"), failures + 1, "failed reloads counted")
        assert any("reload refused" in e.get("msg", "") for e in heald.events()), "the log says so"
        policy.write_text(good)
        wait_until("the error being gone", lambda: not heald.status().get("policy_error"), 15, 0.2)

    heald.start()
    try:
        c.check("a policy that is edited, or replaced, is in force by itself", edited)
        c.check("a policy behind links is in force when the link is swapped", mounted)
        c.check("included files and those of teams are looked at too", included)
        c.check("a mounted ConfigMap with all of them is swapped as one", mounted_whole)
        c.check("a broken policy leaves the old one in force, and is told", broken)
    finally:
        heald.stop()
