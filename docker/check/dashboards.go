package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// dashboards reads Grafana's dashboards strictly by its schema, which knows panels and Prometheus' queries, but not InfluxDB's.
func dashboards(docker string) string {
	plugins.RegisterDefaultPlugins()
	paths, _ := filepath.Glob(filepath.Join(docker, "grafana/dashboards/*.json"))
	if len(paths) == 0 {
		fault("grafana", "there is no dashboard")
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil {
			err = new(dashboard.Dashboard).UnmarshalJSONStrict(text)
		}
		// An empty list of errors is how it says that there are none.
		if list := (cog.BuildErrors{}); err != nil && !(errors.As(err, &list) && len(list) == 0) {
			fault(path, "%v", err)
		}
	}
	return "grafana"
}
