"""Configuration of Prometheus and Alertmanager for the demo and the end-to-end tests."""

import json
import re
from pathlib import Path


def alertmanager(heald_url, token):
    return f"""route:
  receiver: heald
  group_by: [alertname, namespace]
  group_wait: 0s
  group_interval: 2s
  repeat_interval: 1m
receivers:
- name: heald
  webhook_configs:
  - url: {heald_url}/webhook/alertmanager
    send_resolved: true
    http_config:
      authorization: {{ type: Bearer, credentials: {token} }}
"""


def kubeconfig_access(file):
    """What Prometheus needs to scrape through the API server: server, CA file, token file. Only plain kubeconfigs (token or tokenFile, CA by file)."""
    text = Path(file).read_text()

    def value(key):
        m = re.search(rf'^\s*{key}:\s*"?([^"\n]+)"?\s*$', text, re.M)
        return m.group(1) if m else None

    return value("server"), value("certificate-authority"), value("tokenFile")


def prometheus(world, rules, namespace, api=None):
    """Scrapes the exporter, and the shop through the API server's service proxy (so that no pod network is needed)."""
    server, ca, token = api or kubeconfig_access(world["KUBECONFIG"])
    host = server.split("//", 1)[1]
    return f"""global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}
rule_files: [{json.dumps(str(rules))}]
alerting:
  alertmanagers:
  - static_configs: [{{ targets: [{json.dumps(world["ALERTMANAGER_URL"].split("//", 1)[1])}] }}]
scrape_configs:
- job_name: exporter
  honor_labels: true
  static_configs: [{{ targets: [{json.dumps(world["EXPORTER_URL"].split("//", 1)[1])}] }}]
- job_name: shop
  scheme: https
  metrics_path: /api/v1/namespaces/{namespace}/services/shop:http/proxy/metrics
  tls_config: {{ ca_file: {json.dumps(ca)} }}
  authorization: {{ credentials_file: {json.dumps(token)} }}
  static_configs: [{{ targets: [{json.dumps(host)}], labels: {{ namespace: {namespace}, deployment: shop }} }}]
"""
