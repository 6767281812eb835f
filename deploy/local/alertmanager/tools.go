//go:build tools

// Package tools pins what Alertmanager is built from; it is never compiled itself.
package tools

import _ "github.com/prometheus/alertmanager/cmd/alertmanager"
