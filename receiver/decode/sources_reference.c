/* receiver/decode/sources_reference.c - the reference of sources, from the tables that decode them. */
#include "receiver/decode/decoder.h"

static const char *const role_names[] = {
    [LABEL_SHARED] = "label of all runs",
    [LABEL_RUN] = "label of one run",
    [LABEL_NOTE] = "annotation",
    [LABEL_LINE] = "annotation, one line",
};

static void add_labels(struct buf *out, const struct event_label *labels)
{
    buf_adds(out, "| name | what it is | |\n| --- | --- | --- |\n");
    for (const struct event_label *l = labels; l->name; l++)
        buf_addf(out, "| `%s` | %s | %s |\n", l->name, role_names[l->role], l->help);
}

static void add_events(struct buf *out, enum source_kind kind, const struct event_spec *spec)
{
    buf_addf(out, "\n### Source %s\n\nTo `/webhook/%s`. Known by %s\n\n", source_kind_name(kind),
             source_kind_name(kind), spec->credential);
    buf_addf(out, "Looked at: %s %s\n\n", spec->looks_at, spec->answers);
    if (spec->id_headers[0])
        buf_addf(out, "A delivery is known by `%s`", spec->id_headers[0]);
    if (spec->id_headers[1])
        buf_addf(out, ", else `%s`", spec->id_headers[1]);
    if (spec->id_field)
        buf_addf(out, "A delivery is known by `%s` of its body", spec->paths[spec->id_field]);
    if (spec->id_headers[0] || spec->id_field)
        buf_adds(out, ".\n\n");
    add_labels(out, spec->labels);
}

void sources_reference(struct buf *out)
{
    buf_adds(
        out,
        "## Sources\n\nA delivery is answered 2xx once what came of it is durable. 400: it can never work; "
        "401, 403: "
        "by none of the sources, or a signature that is too old; 413, 415: too large, of a type that the "
        "source "
        "does not send; 503 with Retry-After: later (heald cannot write, or the source sends more than its "
        "`limit`). Each refusal is counted in `heald_intake_refusals_total`.\n\n"
        "Alertmanager and Grafana send alerts, which keep their own labels. `/webhook/alertmanager`: payload "
        "version "
        "4, `token_file` or `user` and `password_file`. `/webhook/grafana`: the body of its own contact "
        "point, the "
        "same or `secret_file` (`hmacConfig`), with the annotations `dashboard_url`, `panel_url` and "
        "`silence_url`; "
        "Grafana tries what was refused again at the next `group_interval`.\n\n"
        "All others tell of single runs: pipelines, jobs, deployments. A run that goes wrong is an alert, "
        "once. A "
        "run that goes well ends what earlier runs with the same labels of all runs opened. Everything else "
        "is "
        "answered 200, and nothing comes of it. A delivery whose id was accepted before is answered 200 "
        "again. "
        "Rules have to name such a source in their `source`. `heald explain --source NAME FILE` shows what "
        "would "
        "come of a body.\n\n"
        "Each of them sets\n\n");
    add_labels(out, event_common);
    for (enum source_kind kind = SOURCE_GITHUB; kind < SOURCE_KIND_END_; kind++)
        if (event_spec_of(kind))
            add_events(out, kind, event_spec_of(kind));
    buf_adds(out,
             "\n### Source cloudevents\n\nTo `/webhook/cloudevents`. Known by any credential; `secret_file`: "
             "`X-Signature-256: sha256=...`, or Standard Webhooks. CloudEvents 1.0, binary or structured, "
             "with JSON data; "
             "no batches. Without a `map`: the labels `alertname` (the event's type), `origin` (its source), "
             "`subject`, and "
             "of one event `event` (its id) and `conclusion`; the status is `data.status`, `data.result`, "
             "`data.outcome` or "
             "`data.state`. With one, `type`, `source`, `subject`, `time` and the extensions are paths, and "
             "the data is below "
             "`data`. A delivery is known by the event's source and id.\n\n"
             "### Source generic\n\nTo `/webhook/generic/NAME`. Known by any credential; `secret_file`: "
             "`X-Signature-256: "
             "sha256=...`, or Standard Webhooks. Any JSON: what it means, `map` says. A delivery is known by "
             "`webhook-id`, "
             "else `Idempotency-Key`, else the body's `id`.\n");
}
