"""What other sources than Alertmanager send: samples over real sockets, into the journal, and refusals."""

import hashlib
import hmac
import json
import time
from pathlib import Path

from cases import equal
from world import http, wait_until

SAMPLES = Path(__file__).resolve().parents[1] / "unit" / "data" / "sources"
SECRETS = {"graf": b"graf-secret-1", "gh": b"gh-secret-1", "gl": b"gl-token", "jenkins": b"j-token", "az": b"az-password", "cci": b"cci-secret-1",
           "argo": b"argo-token", "ce": b"ce-token", "up": b"up-secret"}
CONFIG = """
 { name = "graf"; type = "grafana"; secret_file = "graf.secret"; timestamp_header = "X-Grafana-Time"; },
 { name = "gh"; type = "github"; secret_file = "gh.secret"; force = { cluster = "local"; namespace = "shop"; deployment = "checkout"; }; },
 { name = "gl"; type = "gitlab"; token_file = "gl.secret"; },
 { name = "jenkins"; type = "jenkins"; token_file = "jenkins.secret"; },
 { name = "az"; type = "azure"; user = "heald"; password_file = "az.secret"; },
 { name = "cci"; type = "circleci"; secret_file = "cci.secret"; },
 { name = "argo"; type = "argocd"; token_file = "argo.secret"; },
 { name = "ce"; type = "cloudevents"; token_file = "ce.secret"; limit = { rate = 1; burst = 5; }; },
 { name = "up"; type = "generic"; secret_file = "up.secret"; map = { labels = { alertname = "check"; }; status = "state"; }; } );
"""
POLICY = """version = 1;
environments = ( { name = "e"; match = [ "cluster=~\\".*\\"" ]; } );
rules = ( { name = "pipeline"; source = [ "gh" ]; match = [ "alertname=PipelineFailed" ]; target = { from = "deployment"; }; alert_age = "none"; plan = "p"; } );
plans = { p = { steps = ( { do = "restart"; } ); }; };
"""


def configure(heald):
    file = heald.folder / "heald.cfg"
    text = file.read_text()
    begin = text.index("sources = (")
    end = text.index(");", begin)
    file.write_text(text[:end].rstrip() + "," + CONFIG + text[end + 2:])
    (heald.folder / "policy.cfg").write_text(POLICY)
    for name, secret in SECRETS.items():
        (heald.folder / f"{name}.secret").write_bytes(secret + b"\n")


def sign(name, body, prefix=b""):
    return hmac.new(SECRETS[name], prefix + body, hashlib.sha256).hexdigest()


def headers_for(kind, body, event=None):
    if kind == "grafana":
        now = str(int(time.time()))
        return {"X-Grafana-Time": now, "X-Grafana-Alerting-Signature": sign("graf", body, now.encode() + b":")}
    if kind == "github":
        return {"X-GitHub-Event": event, "X-Hub-Signature-256": "sha256=" + sign("gh", body)}
    if kind == "circleci":
        return {"circleci-signature": "v1=" + sign("cci", body)}
    if kind == "gitlab":
        return {"X-Gitlab-Token": "gl-token"}
    if kind == "azure":
        return {"Authorization": "Basic aGVhbGQ6YXotcGFzc3dvcmQ="}
    if kind == "generic/up":
        return {"X-Signature-256": "sha256=" + sign("up", body)}
    return {"Authorization": "Bearer " + {"jenkins": "j-token", "argocd": "argo-token", "cloudevents": "ce-token"}[kind]}


def send(heald, kind, body, headers=None, content_type="application/json"):
    headers = {"Content-Type": content_type, **(headers or {})}
    return http("POST", f"{heald.url}/webhook/{kind}", body, headers=headers)[0]


def stored(heald, source):
    rows = heald.facts("select json_extract(coalesce(blob.body, fact.body), '$.labels') as labels, json_extract(fact.body, '$.status') as status, fact.incident as incident, "
                       f"json_extract(fact.body, '$.disposition') as disposition from fact left join blob on fact.blob = blob.hash where kind = 'alert' and "
                       f"json_extract(fact.body, '$.source') = '{source}' order by fact.seq")
    return [{**r, "labels": json.loads(r["labels"])} for r in rows]


def from_samples(c, heald):
    files = {"grafana": ("graf", ["grafana-managed-firing"]), "gitlab": ("gl", ["gitlab-pipeline-failed", "gitlab-deployment-failed"]),
             "jenkins": ("jenkins", ["jenkins-notification-failure", "jenkins-generic-failure"]),
             "azure": ("az", ["azure-build-complete-failed", "azure-release-deployment-failed"]),
             "circleci": ("cci", ["circleci-job-completed-failed", "circleci-workflow-completed-failed"]),
             "argocd": ("argo", ["argocd-health-degraded"])}

    def arrives(kind, name, samples):
        for sample in samples:
            body = (SAMPLES / f"{sample}.json").read_bytes()
            equal(send(heald, kind, body, headers_for(kind, body)), 200, f"status of {sample}")
        alerts = stored(heald, name)
        equal(len(alerts), len(samples), "alerts in the journal")
        assert all(a["status"] == "firing" and a["labels"]["alertname"] for a in alerts), alerts

    for kind, (name, samples) in files.items():
        c.check(f"{kind}: samples are in the journal once they are answered", lambda k=kind, n=name, s=samples: arrives(k, n, s))


def pipeline(c, heald):
    failed = (SAMPLES / "github-workflow_run-failure.json").read_bytes()
    well = failed.replace(b'"conclusion":"failure"', b'"conclusion":"success"').replace(b"T09:06:42Z", b"T10:06:42Z").replace(b"17001234567", b"17001234568")

    def github(body, **more):
        return send(heald, "github", body, {**headers_for("github", body, "workflow_run"), **more})

    def opens():
        equal(github(failed, **{"X-GitHub-Delivery": "1"}), 200, "status")
        equal([a["disposition"] for a in stored(heald, "gh")], ["opened"], "what came of it")

    def again():
        equal(github(failed, **{"X-GitHub-Delivery": "1"}), 200, "a redelivery")
        equal(github(failed, **{"X-GitHub-Delivery": "2"}), 200, "the same under another id")
        equal(len(stored(heald, "gh")), 1, "alerts in the journal")

    def ends():
        equal(github(well), 200, "status")
        alerts = stored(heald, "gh")
        equal([a["status"] for a in alerts], ["firing", "resolved"], "alerts")
        equal(alerts[1]["labels"], alerts[0]["labels"], "labels of what is over")
        equal(alerts[1]["incident"], alerts[0]["incident"], "incident")
        wait_until("the incident being closed", lambda: heald.facts(f"select 1 from fact where kind = 'closed' and incident = '{alerts[0]['incident']}'"), 30)
        equal(github(failed, **{"X-GitHub-Delivery": "3"}), 200, "the failure told once more")
        equal(len(stored(heald, "gh")), 2, "alerts in the journal")

    c.check("a pipeline that fails opens an incident", opens)
    c.check("delivered again it comes to nothing", again)
    c.check("the pipeline goes well, and the incident is over", ends)


def forged(c, heald):
    body = (SAMPLES / "github-check_run-failure.json").read_bytes()
    graf = (SAMPLES / "grafana-managed-resolved.json").read_bytes()
    old = str(int(time.time()) - 3600)
    table = [
        ("an unsigned body is 401", lambda: send(heald, "github", body), 401),
        ("a body that was changed is 401", lambda: send(heald, "github", body.replace(b"failure", b"success"), headers_for("github", body, "check_run")), 401),
        ("a signature by another source's secret is 401", lambda: send(heald, "github", body, {"X-Hub-Signature-256": "sha256=" + sign("cci", body)}), 401),
        ("a SHA-1 signature is 401", lambda: send(heald, "github", body, {"X-Hub-Signature": "sha1=" + hmac.new(SECRETS["gh"], body, "sha1").hexdigest()}), 401),
        ("a replayed body of an hour ago is 403",
         lambda: send(heald, "grafana", graf, {"X-Grafana-Time": old, "X-Grafana-Alerting-Signature": sign("graf", graf, old.encode() + b":")}), 403),
        ("a signature without its time is 401", lambda: send(heald, "grafana", graf, {"X-Grafana-Alerting-Signature": sign("graf", graf)}), 401),
        ("another source's token is 401", lambda: send(heald, "argocd", b"{}", {"Authorization": "Bearer j-token"}), 401),
        ("Alertmanager's token is 401 elsewhere", lambda: send(heald, "jenkins", b"{}", {"Authorization": "Bearer " + heald.tokens["alertmanager"]}), 401),
        ("a generic source that is none is 401", lambda: send(heald, "generic/none", b"{}", headers_for("generic/up", b"{}")), 401),
        ("XML is 415", lambda: send(heald, "jenkins", b"<job/>", headers_for("jenkins", b""), "application/xml"), 415),
        ("garbage from a known source is 400", lambda: send(heald, "gitlab", b"{", headers_for("gitlab", b"")), 400),
    ]
    before = heald.facts("select count(*) as n from fact where kind = 'alert'")[0]["n"]
    for sentence, ask, wanted in table:
        c.check(f"sources: {sentence}", lambda a=ask, w=wanted: equal(a(), w, "status"))

    def counted():
        text = http("GET", heald.url + "/metrics")[1].decode()
        for reason in ("signature", "credential", "replay"):
            assert f'heald_intake_refusals_total{{source="unknown",reason="{reason}"}}' in text, reason
        assert 'heald_intake_refusals_total{source="gl",reason="content"} 1' in text, text
        equal(heald.facts("select count(*) as n from fact where kind = 'alert'")[0]["n"], before, "alerts")

    c.check("sources: refusals are counted by source and reason, and leave nothing", counted)


def own_shape(c, heald):
    def generic():
        body = b'{"check":"SiteDown","state":"down"}'
        equal(send(heald, "generic/up", body, headers_for("generic/up", body)), 200, "status")
        equal([a["labels"] for a in stored(heald, "up")], [{"alertname": "SiteDown", "source": "up"}], "labels")

    def noisy():
        token = headers_for("cloudevents", b"")
        event = {"ce-specversion": "1.0", "ce-source": "/s", "ce-type": "t"}
        answers = [send(heald, "cloudevents", b"{}", {**token, **event, "ce-id": str(i)}) for i in range(30)]
        assert answers.count(200) >= 5 and 503 in answers, answers
        body = b'{"object_kind":"push"}'
        equal(send(heald, "gitlab", body, headers_for("gitlab", body)), 200, "another source")

    def status():
        shown = json.loads(http("GET", heald.url + "/status", token=heald.tokens["operator"])[1])["sources"]
        last = {s["name"]: s.get("last_delivery") for s in shown}
        assert all(last[name] for name in SECRETS), last
        assert last["alertmanager"] is None, last

    c.check("a generic source is read by its map", generic)
    c.check("a noisy source gets 503 beyond its rate, and another one does not", noisy)
    c.check("/status shows when each source was heard last", status)


def sources(c, heald):
    configure(heald)
    try:
        heald.start()
        from_samples(c, heald)
        pipeline(c, heald)
        forged(c, heald)
        own_shape(c, heald)
        c.check("sources: SIGTERM ends it with 0", lambda: equal(heald.stop(), 0, "exit status"))
    finally:
        heald.kill()
