"""Plans made at random from every kind of step, each with as little beside it as it may have, and things that happen to them: whatever `heald check` accepts
is played to its end by `heald test`."""

import random
import re

RESTART = '{ do = "restart"; }'
CONDITIONS = ['changed = "template"', 'match = [ "x=1" ]', 'annotations = [ "x=1" ]', 'evidence = [ "exit_code=1" ]', 'cause = [ "oom" ]', 'environment = [ "e" ]',
              'during = "w"', 'attempt = 2', 'promql = { query = "x"; }', 'loki = { query = "x"; }', 'http = { url = "https://h/x"; }', 'not = { cause = [ "oom" ]; }',
              'any = ( { cause = [ "oom" ]; } )']
STEPS = [RESTART, '{ do = "escalate"; }', '{ do = "scale"; replicas = 3; undo = true; }', '{ do = "delete_pod"; }', '{ do = "rollback"; to = "last_stable"; }',
         '{ gate = { }; }', '{ gate = { role = "sre"; }; }', '{ wait = "1m"; }', '{ notify = "x"; }', '{ stop = "not_healed"; }', '{ stop = "escalated"; }',
         '{ stop = "refused"; }', '{ stop = "cancelled"; }', f'{{ choose = ( {{ steps = ( {RESTART} ); }} ); }}', '{ choose = ( { steps = ( { stop = "refused"; } ); } ); by = "success"; }',
         '{ choose = ( { steps = ( { gate = { }; } ); }, { steps = ( { do = "escalate"; } ); } ); }', f'{{ parallel = ( {{ steps = ( {RESTART} ); }} ); }}',
         '{ parallel = ( { steps = ( { notify = "y"; } ); }, { steps = ( { wait = "1m"; } ); } ); need = 1; }',
         '{ parallel = ( { steps = ( { do = "scale"; replicas = 3; undo = true; }, { do = "delete_pod"; } ); } ); }', '{ plan = "q"; }',
         '{ do = "restart"; verify = { rollout = "ignore"; alert = "ignore"; condition = "Available"; }; }', '{ do = "restart"; timeout = "1m"; }', '{ do = "restart"; retry = 2; }']
STEPS += [f"{{ when = {{ {c}; }}; then = ( {RESTART} ); }}" for c in CONDITIONS] + [f'{{ when = {{ {c}; }}; then = ( {{ do = "escalate"; }} ); otherwise = ( {RESTART} ); }}' for c in CONDITIONS]
STEPS += [f"{{ wait = {{ until = {{ {c}; }}; }}; }}" for c in CONDITIONS]
PHASES = ["prepare", "otherwise", "stabilise", "validate", "optimise", "cleanup", "report"]


class Made:
    """A policy with one plan, and a test without expectations."""

    def __init__(self, r):
        phases = {"steps": [r.choice(STEPS) for _ in range(r.randint(1, 3))]}
        phases.update((p, [r.choice(STEPS) for _ in range(r.randint(1, 2))]) for p in PHASES if r.random() < 0.4)
        self.plan = " ".join(f"{p} = ( {', '.join(steps)} );" for p, steps in phases.items())
        self.mode = r.choice(["act", "act", "act", "dry_run", "observe"])
        more = r.choice(["", 'approve = [ "all" ];', 'notify = [ "n" ];'])
        self.policy = (f'version = 1; windows = ( {{ name = "w"; from = "10:00"; to = "11:00"; }} ); environments = ( {{ name = "e"; match = [ "namespace=shop" ]; mode = "{self.mode}"; '
                       f'own_rollouts = true; {more} }} ); rules = ( {{ name = "r"; match = [ "alertname=X" ]; target = {{ from = "pod"; owner = "Deployment"; }}; plan = "p"; }} );\n'
                       f'plans = {{ p = {{ {self.plan} }}; q = {{ steps = ( {RESTART} ); }}; }};\n')
        events = [f'{{ at = "10m"; object = "shop/web"; {r.choice(["", "deploys = " + chr(34) + "v2" + chr(34) + ";"])} breaks = "Hang"; cause = "{r.choice(["crash", "oom"])}"; '
                  f'mended_by = [ {r.choice([chr(34) + "restart" + chr(34), "", chr(34) + "scale" + chr(34), chr(34) + "rollback" + chr(34)])} ]; available = {r.randint(0, 2)}; worsened_by = [ "scale" ]; }}',
                  f'{{ at = "12m"; fires = {{ alertname = "X"; namespace = "shop"; pod = "web-1"; }}; {r.choice(["quiet_with = " + chr(34) + "shop/web" + chr(34) + ";", ""])} }}']
        events += [f'{{ at = "{12 + k}m"; say = "{r.choice(["pause", "resume"])}"; who = "a"; }}' for k in range(r.randint(0, 2))] + ['{ at = "20m"; say = "resume"; who = "a"; }']
        self.test = f'until = "30h"; objects = ( {{ namespace = "shop"; name = "web"; replicas = 3; }} ); events = ( {", ".join(events)} );'


def play(t, seed, number):
    r = random.Random(seed)
    for n in range(number):
        made = Made(r)
        (t.folder / "made.cfg").write_text(made.policy)
        run = t.plays(made.test, head='version = 1; policy = "made.cfg";')
        told = f"plan {n} of seed {seed}: {made.plan}\n{run.stdout[-3000:]}{run.stderr}"
        assert run.returncode in (0, 1), f"ended with {run.returncode}: {told}"
        assert "rule r" in run.stdout, f"it did not begin: {told}"
        assert len(re.findall(r"\boutcome \w+", run.stdout)) == 1, f"not one outcome within 30 h: {told}"
