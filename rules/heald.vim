" Syntax of policy.cfg for vim, printed from the tables that parse it; do not edit.
" Use: copy it to ~/.vim/syntax/heald.vim, and begin a policy with  # vim: ft=heald
if exists("b:current_syntax")
  finish
endif
syntax case match
setlocal iskeyword+=-
syntax match healdKey /\v<(action_budget|actions|alert|alert_age|allow|annotations|any|approval|approvals|approve|attempt|attempts|attempts_per|auto|backoff|blast_radius|body|brake|breaker|budget|by|cause|changed|choose|cleanup|cluster|condition|continue|cooldown|critical|dashboard|dates|days|defaults|depends_on|do|downtime|during|enabled|environment|environments|equal|every|evidence|expires|explained_by|failures|file|for|freeze|from|gate|hold|http|ignore|incidents|is|kind|limit|limits|links|loki|maintenance|match|may|min_available|mode|name|namespace|namespace_budget|namespaces|need|not|note|notify|on|on_timeout|on_unknown|open|optimise|otherwise|own_rollouts|owner|parallel|params|patch|per|plan|plans|prepare|profile|profiles|promql|protect|query|report|result|retry|role|rollout|rules|runbook|running|same_incident|selector|severity|shared_cause|silence_unknown|source|stabilise|status|step|steps|stop|storm|target|targets|targets_at_once|team_budget|teams|text|then|timeout|to|undo|until|url|validate|verify|version|wait|well_for|when|windows|with|within|workload_budget|zone)>\ze\s*[=:]/
syntax match healdWord /\v"\zs(act|application|cancelled|complete|container|cronjob|daemonset|deployment|done|dry_run|escalate|escalated|fail|failed|fixed|hpa|ignore|job|next|node|none|not_fixed|not_healed|not_run|nothing|observe|order|persistentvolumeclaim|pod|quiet|refused|service|statefulset|stop|success|template|unknown|wait|whatever)\ze"/ contained
syntax match healdTemplate /\${[^}]*}/ contained
syntax match healdDuration /\v"\zs([0-9]+(ms|[smhdwy]))+\ze"/ contained
syntax region healdString start=/"/ skip=/\\\\\|\\"/ end=/"/ oneline contains=healdTemplate,healdDuration,healdWord
syntax match healdNumber /\v<-?[0-9]+>/
syntax keyword healdBool true false
syntax match healdComment /\v(#|\/\/).*$/ contains=@Spell
syntax region healdComment start=/\/\*/ end=/\*\// contains=@Spell
syntax match healdInclude /@include/
highlight default link healdKey Identifier
highlight default link healdWord Constant
highlight default link healdTemplate Special
highlight default link healdDuration Number
highlight default link healdString String
highlight default link healdNumber Number
highlight default link healdBool Boolean
highlight default link healdComment Comment
highlight default link healdInclude Include
let b:current_syntax = "heald"
