package check

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose reads compose.yaml as Compose does, against its schema.
func compose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(repository, "deploy/compose.yaml")},
		cli.WithEnv([]string{"CONTAINER_USER=1000:1000"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(project.Services) != 5 {
		t.Fatalf("the services are %v", project.ServiceNames())
	}
	return project
}

// TestComposeHasVariablesOfItsOwn: what Compose fills in is no setting of the service or
// its commands, which read all that begins with AMENDS_.
func TestComposeHasVariablesOfItsOwn(t *testing.T) {
	for _, file := range []string{"deploy/compose.yaml", "deploy/make-secrets"} {
		if found := regexp.MustCompile(`\$\{AMENDS_\w*|AMENDS_\w+=`).FindAll(read(t, file), -1); len(found) > 0 {
			t.Errorf("%s has %q", file, found)
		}
	}
}

// TestCompose holds what is promised of every service.
func TestCompose(t *testing.T) {
	p := compose(t)
	for name, s := range p.Services {
		if !s.ReadOnly || s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 ||
			!slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not confined", name)
		}
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes == 0 ||
			s.Deploy.Resources.Limits.NanoCPUs == 0 || s.Deploy.Resources.Limits.Pids == 0 {
			t.Errorf("%s has no limits", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %d can be reached from other machines", name, port.Target)
			}
		}
		if s.Build == nil {
			_, tag, ok := strings.Cut(s.Image, ":")
			if !ok || tag == "latest" || strings.Count(tag, ".") < 2 {
				t.Errorf("%s: %s is not one version of an image", name, s.Image)
			}
		}
		if s.NetworkMode != "" || len(s.Networks) == 0 {
			t.Errorf("%s is in no network of its own", name)
		}
		for variable, value := range s.Environment {
			if value != nil && (strings.Contains(*value, "redis://") || strings.Contains(variable, "PASSWORD")) {
				t.Errorf("%s: %s is a secret in the environment", name, variable)
			}
		}
		mounts(t, name, s)
	}
	if !p.Networks["store"].Internal || len(p.Services["redis"].Ports) > 0 || len(p.Services["redis"].Networks) != 1 {
		t.Error("Redis can be reached by others than the service")
	}
}

// mounts: what is bound is in the repository, or made by make-secrets, and is
// not written to.
func mounts(t *testing.T, name string, s types.ServiceConfig) {
	t.Helper()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		path, err := filepath.Rel(root, v.Source)
		if err != nil {
			t.Fatal(err)
		}
		if !v.ReadOnly {
			t.Errorf("%s may write to %s", name, path)
		}
		if made := strings.HasPrefix(path, "deploy/secrets/"); !made && !tracked(t, path) {
			t.Errorf("%s: nothing is at %s", name, path)
		}
	}
}

// TestComposeRunsTheService: its settings are flags, it may read its secrets,
// and it has the time and the memory that it counts with.
func TestComposeRunsTheService(t *testing.T) {
	p := compose(t)
	s := p.Services["amends"]
	env := map[string]string{}
	for variable, value := range s.Environment {
		env[variable] = *value
	}
	values := known(t, "the service amends", s.Command, env)
	for _, flag := range []string{"config", "key-file", "tls-cert", "tls-key", "client-ca"} {
		name := strings.TrimPrefix(values[flag], "/run/secrets/")
		if !slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return c.Source == name }) {
			t.Errorf("--%s is %q, which is none of its secrets", flag, values[flag])
		}
	}
	for name, secret := range p.Secrets {
		if filepath.Base(filepath.Dir(secret.File)) != "secrets" {
			t.Errorf("the secret %s is %s, where make-secrets does not put it", name, secret.File)
		}
	}
	if _, ok := values["production"]; !ok {
		t.Error("not --production")
	}
	if s.User != "1000:1000" {
		t.Errorf("it runs as %q, not as who may read the secrets", s.User)
	}
	if s.DependsOn["redis"].Condition != types.ServiceConditionHealthy || p.Services["redis"].HealthCheck == nil {
		t.Error("it does not wait until Redis answers")
	}
	if s.StopGracePeriod == nil || s.StopGracePeriod.String() != "20s" {
		t.Errorf("it has %v to end", s.StopGracePeriod)
	}
	limits(t, mebibytes(t, env["GOMEMLIMIT"]), int64(s.Deploy.Resources.Limits.MemoryBytes)>>20)
}
