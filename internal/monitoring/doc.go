// Package monitoring has no code: its tests start the service, a Redis and a
// Prometheus that scrapes it, and hold what operators work with to them: every
// query of the alerts, the dashboard and the runbooks, and the page of metrics.
package monitoring
