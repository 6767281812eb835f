/* The command table. */
#include <string.h>

#include "receiver/commands/commands.h"

#define CLIENT_OPTIONS                                                                                       \
    "  --url URL           where heald listens (HEALD_URL; default http://127.0.0.1:9798)\n"                 \
    "  --token-file FILE   an operator's token (HEALD_TOKEN_FILE)\n"                                         \
    "  --ca-file FILE      trust this certificate authority (HEALD_CA_FILE)\n"                               \
    "  -o json             print the answer as it came\n"

#define SCOPE_OPTIONS                                                                                        \
    "  --environment NAME  this environment of the policy only\n"                                            \
    "  --rule NAME         this rule only\n"                                                                 \
    "  --namespace NAME    this namespace only, in every cluster\n"

const struct command commands[] = {
    { "serve", command_serve, "run the daemon",
      "heald serve [--config FILE] [--policy FILE] [--journal FILE] [--listen ADDRESS]",
      "  --config FILE       how the process runs (default heald.cfg)\n"
      "  --policy FILE       who may be healed and how; overrides heald.cfg\n"
      "  --journal FILE      overrides heald.cfg\n"
      "  --listen ADDRESS    overrides heald.cfg, as 127.0.0.1:9798\n" },
    { "check", command_check, "validate configuration and policy, every error at once",
      "heald check [--config FILE] [--policy FILE] [--live] [--cluster] [--strict] [-o json]",
      "  --config FILE       check this heald.cfg and the policy it names (default heald.cfg when it is "
      "there)\n"
      "  --policy FILE       check this policy alone, or instead of the one that heald.cfg names\n"
      "  --live              ask the Prometheus of heald.cfg: is \"within\" long enough for each alert's own "
      "timing,\n"
      "                      and does it have the alerts of each rule?\n"
      "  --cluster           ask the clusters of heald.cfg too whether heald's user may do what the policy "
      "wants; exit status 3 when\n"
      "                      one cannot be reached\n"
      "  --strict            warnings fail it too\n"
      "  -o json             for programs: file, line, column, level, name and text of each problem\n" },
    { "test", command_test, "run unit tests of policies, on simulated time",
      "heald test [--junit FILE] FILE...",
      "  FILE                tests: objects, what happens when, and what is expected (rules/policies/tests "
      "has some; their keys stand\n"
      "                      in receiver/REFERENCE.md)\n"
      "  --junit FILE        write the results as JUnit XML too\n" },
    { "explain", command_explain, "what this alert would lead to, and why: rules, target, plan, guards",
      "heald explain [--config FILE] [--policy FILE] [--source NAME] [--live] [-o json] LABEL=VALUE... | "
      "FILE | ID",
      "  LABEL=VALUE         the alert's labels, as alertname=KubePodCrashLooping namespace=shop pod=web-1\n"
      "  FILE, --file FILE   instead: the body of a webhook, as the source sends it; - is standard input\n"
      "  ID                  instead: an incident of the running heald; --url, --token-file and --ca-file as "
      "for status\n"
      "  --source NAME       the source that it comes from (default: the first of heald.cfg)\n"
      "  --config FILE       sources, clusters and Prometheus (default heald.cfg when it is there)\n"
      "  --policy FILE       this policy instead of the one that heald.cfg names\n"
      "  --live              look at the real object, and ask every guard; budgets, cooldowns and what is "
      "proven stand in the\n"
      "                      running heald's journal, and are empty here\n"
      "  -o json             for programs\n" },
    { "status", command_status, "what is going on", "heald status [--url URL] [--token-file FILE] [-o json]",
      CLIENT_OPTIONS },
    { "incidents", command_incidents, "incidents, newest first",
      "heald incidents [--state STATE] [--outcome OUTCOME] [--rule NAME] [--environment NAME] [--namespace "
      "NAME] "
      "[--cluster NAME] [--since TIME] [--limit N] [--url URL] [--token-file FILE] [-o json]",
      "  --state STATE       only in this state: resolving, deciding, waiting, approval, delayed, acting, "
      "verifying, "
      "ending,\n"
      "                      closed\n"
      "  --outcome OUTCOME   only of this outcome: open, healed, cleared, not_healed, escalated, refused, "
      "cancelled, "
      "observed,\n"
      "                      unknown\n"
      "  --rule NAME         only of this rule\n"
      "  --environment NAME  only in this environment\n"
      "  --namespace NAME    only in this namespace\n"
      "  --cluster NAME      only in this cluster\n"
      "  --since TIME        only opened then or later: 2026-08-20T09:15:00Z\n"
      "  --limit N           at most so many (default 50, up to 500)\n" CLIENT_OPTIONS },
    { "incident", command_incident, "one incident whole: alerts, evidence, decisions, steps, outcome",
      "heald incident ID [--url URL] [--token-file FILE] [-o json]", CLIENT_OPTIONS },
    { "monitor", command_monitor, "follow what happens, line by line",
      "heald monitor [--for TIME] [--url URL] [--token-file FILE] [-o json]",
      "  --for TIME          end after that: 10m; left out: until it is interrupted\n" CLIENT_OPTIONS },
    { "stats", command_stats, "success and times to repair by rule, cause, environment and action",
      "heald stats [--since TIME] [--url URL] [--token-file FILE] [-o json]",
      "  --since TIME        only incidents opened then or later: 2026-08-20T09:15:00Z\n" CLIENT_OPTIONS },
    { "config", command_config, "the settings in force, each with where it comes from",
      "heald config [--config FILE]",
      "  --config FILE       this file (default heald.cfg); secrets stand in files of their own and are not "
      "shown\n" },
    { "pause", command_pause, "kill switch: nothing is changed any more until resume",
      "heald pause --reason TEXT [--environment NAME | --rule NAME | --namespace NAME] [--for TIME] [--url "
      "URL] "
      "[--token-file FILE]",
      "  --reason TEXT       why, for the journal and for whoever finds it paused\n" SCOPE_OPTIONS
      "  --for TIME          resume by itself after that: 2h, 30m\n" CLIENT_OPTIONS },
    { "resume", command_resume, "let heald act again; a new journal starts paused",
      "heald resume [--reason TEXT] [--environment NAME | --rule NAME | --namespace NAME] [--url URL] "
      "[--token-file "
      "FILE]",
      "  --reason TEXT       why, for the journal\n" SCOPE_OPTIONS CLIENT_OPTIONS },
    { "approve", command_approve, "say yes to what an incident asks for",
      "heald approve ID [--reason TEXT] [--hash HASH] [--url URL] [--token-file FILE]",
      "  --reason TEXT       why, for the journal\n"
      "  --hash HASH         only if exactly this is asked for still; it stands beside the "
      "question\n" CLIENT_OPTIONS },
    { "deny", command_deny, "say no to what an incident asks for",
      "heald deny ID --reason TEXT [--hash HASH] [--url URL] [--token-file FILE]",
      "  --reason TEXT       why, for the journal\n"
      "  --hash HASH         only if exactly this is asked for still\n" CLIENT_OPTIONS },
    { "cancel", command_cancel, "end an incident: no further step of its plan is begun",
      "heald cancel ID --reason TEXT [--url URL] [--token-file FILE]",
      "  --reason TEXT       why, for the journal\n" CLIENT_OPTIONS },
    { "retry", command_retry, "ask the guards of an incident at once again; begin a closed one anew",
      "heald retry ID [--reason TEXT] [--url URL] [--token-file FILE]",
      "  --reason TEXT       why, for the journal\n" CLIENT_OPTIONS },
    { "heal", command_heal, "begin a plan for a target by hand, under the same guards",
      "heald heal KIND/NAME (--rule NAME | --plan NAME) [--namespace NAME] [--cluster NAME] [--reason TEXT] "
      "[--url "
      "URL] [--token-file FILE]",
      "  --rule NAME         with the plan and the limits of this rule\n"
      "  --plan NAME         with this plan, and the limits that rules have by default\n"
      "  --namespace NAME    of the target (default \"default\")\n"
      "  --cluster NAME      of the target; left out: the only one\n"
      "  --reason TEXT       why, for the journal\n" CLIENT_OPTIONS },
    { "reload", command_reload, "load the policy again; an invalid one leaves the running one in force",
      "heald reload [--url URL] [--token-file FILE]", CLIENT_OPTIONS },
    { "backup", command_backup, "copy the journal, also while heald runs",
      "heald backup [--config FILE] [--journal FILE] FILE",
      "  FILE                the copy, which must not be there yet\n"
      "  --config FILE       the heald.cfg that names the journal (default heald.cfg)\n"
      "  --journal FILE      the journal itself\n" },
    { "restore", command_restore, "put a copy of the journal back, after a check of all its facts",
      "heald restore [--config FILE] [--journal FILE] FILE",
      "  FILE                a copy that \"heald backup\" made; it is left as it is\n"
      "  --config FILE       the heald.cfg that names the journal (default heald.cfg)\n"
      "  --journal FILE      the journal itself; what was there is kept as FILE.before-restore\n" },
    { "finalize-upgrade", command_finalize_upgrade, "from now on write what only this release can read",
      "heald finalize-upgrade [--url URL] [--token-file FILE]", CLIENT_OPTIONS },
    { "actions", command_actions, "the catalogue of actions: parameters, risk, verbs needed", "heald actions",
      "" },
    { "completion", command_completion, "words for a shell's completion", "heald completion bash|zsh|fish",
      "  bash                source <(heald completion bash)\n"
      "  zsh                 heald completion zsh >\"${fpath[1]}/_heald\"\n"
      "  fish                heald completion fish | source\n" },
    { "man", command_man, "print the manual page, for man: heald man >heald.1", "heald man", "" },
    { "rbac", command_rbac, "the least roles that the loaded policy needs, and what bounds heald's user",
      "heald rbac [--config FILE] [--policy FILE] [--cluster NAME] [--user NAME] [--namespace NAME]... "
      "[--name NAME] "
      "[--roles | --admission]",
      "  --config FILE       clusters and the policy (default heald.cfg when it is there)\n"
      "  --policy FILE       this policy instead of the one that heald.cfg names\n"
      "  --cluster NAME      for this cluster; left out: the only one\n"
      "  --user NAME         whom to grant and to bound (default system:serviceaccount:heald:heald)\n"
      "  --namespace NAME    bind what writes in this namespace only; may be given again. Left out: in those "
      "that "
      "heald.cfg watches\n"
      "  --name NAME         what the objects' names begin with (default heald)\n"
      "  --roles             ClusterRoles and their bindings only\n"
      "  --admission         ValidatingAdmissionPolicy and its binding only\n" },
    { "help", command_help, "this, or one command whole", "heald help [COMMAND]", "" },
    { "version", command_version, "print the version", "heald --version", "" },
    { NULL, NULL, NULL, NULL, NULL },
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}
