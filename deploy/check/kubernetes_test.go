package check

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestInstallations holds what is promised of the base and of the example.
func TestInstallations(t *testing.T) {
	for _, folder := range []string{"base", "overlays/example"} {
		i := build(t, folder)
		for name, check := range map[string]func(*testing.T, *installation){
			"no privileges":                  noPrivileges,
			"nothing written":                nothingWritten,
			"secrets are referred to":        secretsReferred,
			"arguments are flags":            argumentsAreFlags,
			"probes":                         probes,
			"an ending replica has the time": endsInTime,
			"selectors select":               selectorsSelect,
			"replicas":                       replicas,
			"the network policy":             networkPolicy,
			"memory":                         memory,
			"namespaces":                     oneNamespace,
		} {
			t.Run(folder+"/"+name, func(t *testing.T) { check(t, i) })
		}
	}
}

// container is the only one of a pod.
func (i *installation) container(t *testing.T) corev1.Container {
	t.Helper()
	pod := i.deployment.Spec.Template.Spec
	if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 || len(pod.EphemeralContainers) != 0 {
		t.Fatal("there are other containers than one")
	}
	return pod.Containers[0]
}

func noPrivileges(t *testing.T, i *installation) {
	pod := i.deployment.Spec.Template.Spec
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken ||
		i.account.AutomountServiceAccountToken == nil || *i.account.AutomountServiceAccountToken {
		t.Error("a token of the service account is mounted")
	}
	if pod.ServiceAccountName != i.account.Name {
		t.Errorf("runs as %q, not as %q", pod.ServiceAccountName, i.account.Name)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC {
		t.Error("shares a namespace of the host")
	}
	p, c := pod.SecurityContext, i.container(t).SecurityContext
	if p == nil || c == nil {
		t.Fatal("no security context")
	}
	if p.RunAsNonRoot == nil || !*p.RunAsNonRoot || p.RunAsUser == nil || *p.RunAsUser == 0 || c.RunAsUser != nil || c.RunAsNonRoot != nil {
		t.Error("may run as root")
	}
	if p.SeccompProfile == nil || p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("no seccomp profile")
	}
	if c.AllowPrivilegeEscalation == nil || *c.AllowPrivilegeEscalation || c.Privileged != nil && *c.Privileged {
		t.Error("may gain privileges")
	}
	if c.Capabilities == nil || !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(c.Capabilities.Add) > 0 {
		t.Error("has capabilities")
	}
}

func nothingWritten(t *testing.T, i *installation) {
	c := i.container(t)
	if ro := c.SecurityContext.ReadOnlyRootFilesystem; ro == nil || !*ro {
		t.Error("the root file system can be written")
	}
	for _, m := range c.VolumeMounts {
		if !m.ReadOnly {
			t.Errorf("%s can be written", m.MountPath)
		}
	}
}

// secretsReferred: no manifest holds a secret, and each file that is mounted is
// one that a setting names.
func secretsReferred(t *testing.T, i *installation) {
	c := i.container(t)
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			t.Errorf("%s puts a secret into the environment", e.Name)
		}
		if strings.Contains(e.Value, "redis://") {
			t.Errorf("%s puts the address of Redis, with its password, into the environment", e.Name)
		}
	}
	settings := strings.Join(c.Args, " ")
	for _, e := range c.Env {
		settings += " " + e.Value
	}
	volumes := map[string]corev1.Volume{}
	for _, v := range i.deployment.Spec.Template.Spec.Volumes {
		volumes[v.Name] = v
	}
	for _, m := range c.VolumeMounts {
		v, ok := volumes[m.Name]
		if !ok {
			t.Errorf("no volume %s", m.Name)
		}
		delete(volumes, m.Name)
		optional := v.ConfigMap != nil && v.ConfigMap.Optional != nil && *v.ConfigMap.Optional
		if !strings.Contains(settings, m.MountPath+"/") && !optional {
			t.Errorf("nothing reads %s", m.MountPath)
		}
		if v.Secret == nil && v.ConfigMap == nil {
			t.Errorf("%s is neither a Secret nor a ConfigMap", m.Name)
		}
		if v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode != 0o440) {
			t.Errorf("the Secret %s can be read by everybody in the container", m.Name)
		}
	}
	for name := range volumes {
		t.Errorf("the volume %s is mounted nowhere", name)
	}
	for _, word := range strings.Fields(strings.ReplaceAll(settings, "=", " ")) {
		if !strings.HasPrefix(word, "/") {
			continue
		}
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return filepath.Dir(word) == m.MountPath }) {
			t.Errorf("%s is in no volume", word)
		}
	}
}

func argumentsAreFlags(t *testing.T, i *installation) {
	c := i.container(t)
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	values := known(t, "the Deployment", c.Args, env)
	for flag, port := range map[string]string{"listen": "grpc", "ops-listen": "ops"} {
		n := slices.IndexFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port })
		if n < 0 || values[flag] != fmt.Sprint(":", c.Ports[n].ContainerPort) {
			t.Errorf("--%s is %q, which is not the port %s", flag, values[flag], port)
		}
	}
	if _, ok := values["production"]; !ok {
		t.Error("not --production")
	}
}

func probes(t *testing.T, i *installation) {
	c := i.container(t)
	for name, want := range map[string]struct {
		probe *corev1.Probe
		path  string
	}{"startup": {c.StartupProbe, "/healthz"}, "readiness": {c.ReadinessProbe, "/readyz"}, "liveness": {c.LivenessProbe, "/healthz"}} {
		if want.probe == nil || want.probe.HTTPGet == nil || want.probe.HTTPGet.Path != want.path || want.probe.HTTPGet.Port.StrVal != "ops" {
			t.Errorf("%s: %+v, want a GET of %s at the port for operators", name, want.probe, want.path)
		}
	}
}

// endsInTime: the pause before the end, the pause and the drain of the service
// and its last traces fit into what Kubernetes waits.
func endsInTime(t *testing.T, i *installation) {
	pod, c := i.deployment.Spec.Template.Spec, i.container(t)
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil {
		t.Fatal("no time for others to notice before it ends")
	}
	needs := c.Lifecycle.PreStop.Sleep.Seconds + 1 + 10 + 2
	if has := pod.TerminationGracePeriodSeconds; has == nil {
		t.Error("the time to end is not said")
	} else if *has < needs+5 {
		t.Errorf("has %d s to end, needs %d and a few to spare", *has, needs)
	}
	u := i.deployment.Spec.Strategy.RollingUpdate
	if u == nil || u.MaxUnavailable == nil || u.MaxUnavailable.IntValue() != 0 || u.MaxSurge == nil || u.MaxSurge.IntValue() < 1 {
		t.Errorf("an update takes replicas away before it brings new ones: %+v", u)
	}
}

// memory: Go collects garbage before the limit of the container is met.
func memory(t *testing.T, i *installation) {
	c := i.container(t)
	n := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
	if n < 0 {
		t.Fatal("no GOMEMLIMIT")
	}
	limits(t, mebibytes(t, c.Env[n].Value), c.Resources.Limits.Memory().Value()>>20)
	if c.Resources.Requests.Memory().IsZero() {
		t.Error("no memory is requested")
	}
}

func oneNamespace(t *testing.T, i *installation) {
	var spaces []string
	for _, o := range i.objects {
		if _, is := o.(*corev1.Namespace); is {
			continue
		}
		spaces = append(spaces, o.(metav1.Object).GetNamespace())
	}
	slices.Sort(spaces)
	if spaces = slices.Compact(spaces); len(spaces) != 1 {
		t.Errorf("in the namespaces %q", spaces)
	}
}
