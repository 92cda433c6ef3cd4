package auth

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the contract says of the roles of a method is what the table says.
func TestTheContractNamesTheRoles(t *testing.T) {
	rpc := regexp.MustCompile(`// Roles: ([a-z, ]+)\.\n  rpc (\w+)\(`)
	any := regexp.MustCompile(`\n  rpc `)
	said := map[string]string{}
	for service, file := range map[string]string{"RecoveryService": "recovery_service.proto", "PolicyService": "policy_service.proto"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "proto", "recovery", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		found := rpc.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 || len(found) != len(any.FindAll(text, -1)) {
			t.Errorf("%s: %d methods name their roles, of %d", file, len(found), len(any.FindAll(text, -1)))
		}
		for _, m := range found {
			said["/recovery.v1."+service+"/"+m[2]] = m[1]
		}
	}
	for _, m := range Methods {
		if m.Open || m.Known {
			continue
		}
		if rolesOf(strings.Split(said[m.Name], ", ")) != m.Roles {
			t.Errorf("%s: the contract says %q, the table %q", m.Name, said[m.Name], m.Roles)
		}
		delete(said, m.Name)
	}
	if len(said) > 0 {
		t.Errorf("without a row: %v", said)
	}
}

func TestMethodsAreThereOnce(t *testing.T) {
	if len(methods) != len(Methods) {
		t.Errorf("%d names of %d rows", len(methods), len(Methods))
	}
	for _, m := range Methods {
		if !m.Open && !m.Known && m.Roles == 0 {
			t.Errorf("%s: nobody may call it", m.Name)
		}
		if m.Open && (m.Known || m.Roles != 0) {
			t.Errorf("%s is open, and asks for more", m.Name)
		}
	}
	if open := methods["/grpc.health.v1.Health/Check"]; !open.Open || open.Short() != "Health/Check" {
		t.Errorf("%+v, short %s", open, open.Short())
	}
}

// Nobody may do anything: neither by forgetting who calls, nor outside of a call.
func TestNobody(t *testing.T) {
	if c := CallerOf(t.Context()); c.ActsFor("default") || c.ActsFor("") || c.Roles != 0 {
		t.Errorf("outside of a call: %+v", c)
	}
	if c := CallerOf(WithPlace(t.Context())); c.ActsFor("default") || c.ActsFor("") || c.Roles != 0 {
		t.Errorf("before it is known: %+v", c)
	}
}
