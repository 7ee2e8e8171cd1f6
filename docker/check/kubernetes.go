package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// scaledObject is what is used here of KEDA's type, whose module would bring half of Kubernetes along.
type scaledObject struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		ScaleTargetRef  map[string]string `json:"scaleTargetRef"`
		PollingInterval int32             `json:"pollingInterval"`
		MinReplicaCount int32             `json:"minReplicaCount"`
		MaxReplicaCount int32             `json:"maxReplicaCount"`
		Triggers        []struct {
			Type     string            `json:"type"`
			Metadata map[string]string `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
}

// decode reads one object as its kind, as the API server does: an unknown or repeated key, or one in other letters, is an error.
func decode(where, kind string, text []byte) any {
	object, ok := map[string]any{
		"ConfigMap": &core.ConfigMap{}, "Deployment": &apps.Deployment{}, "NetworkPolicy": &networking.NetworkPolicy{},
		"PodDisruptionBudget": &policy.PodDisruptionBudget{}, "PrometheusRule": &monitoring.PrometheusRule{}, "ScaledObject": &scaledObject{},
		"Secret": &core.Secret{}, "Service": &core.Service{}, "ServiceAccount": &core.ServiceAccount{},
		"ServiceMonitor": &monitoring.ServiceMonitor{},
	}[kind]
	if !ok {
		fault(where, "there is no check for the kind %q", kind)
	} else if text, err := yaml.YAMLToJSONStrict(text); err != nil {
		fault(where, "%s: %v", kind, err)
	} else if strict, err := json.UnmarshalStrict(text, object); err != nil || len(strict) > 0 {
		fault(where, "%s: %v", kind, errors.Join(append(strict, err)...))
	}
	return object
}

// kubernetes renders the base and every overlay, as `kubectl kustomize` does, and looks at what comes out.
func kubernetes(docker string) string {
	folders, _ := filepath.Glob(filepath.Join(docker, "kubernetes/overlays/*"))
	for _, folder := range append(folders, filepath.Join(docker, "kubernetes/base")) {
		resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
		if err != nil {
			fault(folder, "%v", err)
			continue
		}
		var pod core.PodTemplateSpec
		selectors := map[string]map[string]string{}
		for _, resource := range resources.Resources() {
			kind := resource.GetKind()
			text, err := resource.AsYAML()
			if err != nil {
				fault(folder, "%s: %v", kind, err)
				continue
			}
			switch object := decode(folder, kind, text).(type) {
			case *apps.Deployment:
				pod, selectors[kind] = object.Spec.Template, object.Spec.Selector.MatchLabels
			case *core.Service:
				selectors[kind] = object.Spec.Selector
			case *networking.NetworkPolicy:
				selectors[kind] = object.Spec.PodSelector.MatchLabels
			case *policy.PodDisruptionBudget:
				selectors[kind] = object.Spec.Selector.MatchLabels
			}
		}
		for kind, selector := range selectors {
			// Not only ours: without a label every pod of the namespace would be meant.
			ours := len(selector) > 0
			for key, value := range selector {
				ours = ours && pod.Labels[key] == value
			}
			if !ours {
				fault(folder, "%s selects other pods than ours: %v", kind, selector)
			}
		}
		checkPod(folder, pod.Spec)
	}
	secret, rules := "kubernetes/base/secret.example.yaml", "prometheus/rules/sluice.yaml"
	decode(secret, "Secret", read(docker, secret))
	// As kubernetes/README.md makes the operator's object of Prometheus' file.
	head := "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n  "
	decode(rules, "PrometheusRule", append([]byte(head), bytes.ReplaceAll(read(docker, rules), []byte("\n"), []byte("\n  "))...))
	return "kubernetes"
}

func checkPod(where string, pod core.PodSpec) {
	volumes := map[string]bool{}
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
	}
	for _, container := range pod.Containers {
		if !version.MatchString(container.Image) {
			fault(where, "image %q has no tag that says a version", container.Image)
		}
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				fault(where, "there is no volume %s", mount.Name)
			}
		}
		for _, probe := range []*core.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Port.StrVal != container.Ports[0].Name {
				fault(where, "a probe is missing, or does not ask at the port that the container names")
			}
		}
	}
}

func read(docker, path string) []byte {
	text, err := os.ReadFile(filepath.Join(docker, path))
	if err != nil {
		fault(path, "%v", err)
	}
	return text
}
