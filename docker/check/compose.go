package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// A tag that says a version: 4.1.2, v3.7.3, 3.9.11-core.
var version = regexp.MustCompile(`:v?\d+\.\d+\.\d+(-[a-z]+)?$`)

// compose loads the stack once with the profile of .env and once for each, as `docker compose` does, by the schema of the specification.
func compose(docker string) string {
	for _, chosen := range []string{"", "COMPOSE_PROFILES=influxdb1", "COMPOSE_PROFILES=influxdb2", "COMPOSE_PROFILES=influxdb3"} {
		where := "compose.yaml " + chosen
		options, err := cli.NewProjectOptions([]string{filepath.Join(docker, "compose.yaml")}, cli.WithWorkingDirectory(docker),
			cli.WithEnv(strings.Fields(chosen)), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithDefaultProfiles())
		if err != nil {
			fault(where, "%v", err)
			continue
		}
		project, err := options.LoadProject(context.Background())
		if err != nil {
			fault(where, "%v", err)
			continue
		}
		if _, ok := project.Services[strings.Join(project.Profiles, ",")]; !ok {
			fault(where, "no service has the profile %q", project.Profiles)
		}
		for name, service := range project.Services {
			checkService(where+", "+name, service)
			for _, secret := range service.Secrets {
				mustExist(where+", "+name, project.Secrets[secret.Source].File)
			}
		}
	}
	plain, _ := os.ReadFile(filepath.Join(docker, "secrets/influxdb_token"))
	form, _ := os.ReadFile(filepath.Join(docker, "secrets/influxdb3_admin_token.json"))
	var admin struct{ Token string }
	if err := json.Unmarshal(form, &admin); err != nil || admin.Token != string(plain) || !strings.HasPrefix(admin.Token, "apiv3_") {
		fault("secrets", "influxdb_token and influxdb3_admin_token.json are not the same token, or it does not begin with apiv3_")
	}
	return "compose.yaml"
}

func checkService(where string, service types.ServiceConfig) {
	if !version.MatchString(service.Image) {
		fault(where, "image %q has no tag that says a version", service.Image)
	}
	if service.HealthCheck == nil || len(service.HealthCheck.Test) == 0 || service.HealthCheck.Disable {
		fault(where, "has no health check")
	}
	if service.MemLimit == 0 {
		fault(where, "has no limit of memory")
	}
	for dependency, how := range service.DependsOn {
		if how.Condition != types.ServiceConditionHealthy {
			fault(where, "does not wait until %s is healthy", dependency)
		}
	}
	for _, port := range service.Ports {
		if port.HostIP != "127.0.0.1" {
			fault(where, "port %s is open to other machines", port.Published)
		}
	}
	for _, volume := range service.Volumes {
		if volume.Type != types.VolumeTypeBind {
			continue
		}
		mustExist(where, volume.Source)
		// The files that the command and variables name, such as the connector's.
		words := slices.Clone(service.Command)
		for _, value := range service.Environment {
			words = append(words, *value)
		}
		for _, word := range words {
			if file, ok := strings.CutPrefix(word, volume.Target+"/"); ok {
				mustExist(where, filepath.Join(volume.Source, file))
			}
		}
	}
}

func mustExist(where, path string) {
	if _, err := os.Stat(path); err != nil {
		fault(where, "%v", err)
	}
}
