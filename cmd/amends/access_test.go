package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const exampleAccess = "../../examples/access.yaml"

func TestAccessCheck(t *testing.T) {
	said := amends(t, "access", "check", exampleAccess).stdout
	for _, want := range []string{
		"CALLER ", "wallboard       reader                     *        200      400    100      certificate dns wallboard.example.com",
		"RecoveryService/EraseCustomer          privacy-office\n", "RecoveryService/ApproveOffer           desk-leads\n",
		"Health/Check                           everybody, without being asked\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
	var g grants
	if err := json.Unmarshal([]byte(amends(t, "access", "check", exampleAccess, "-o", "json").stdout), &g); err != nil {
		t.Fatal(err)
	}
	if !g.Valid || len(g.Callers) != 8 || len(g.Methods) < 27 || g.Callers[1].CallsAtOnce != 4 {
		t.Errorf("for machines it is %+v", g)
	}
	for _, m := range g.Methods {
		if m.Everybody != strings.HasPrefix(m.Method, "grpc.health.v1.Health/") || m.Everybody && len(m.Callers) > 0 {
			t.Errorf("%+v", m)
		}
	}
}

func TestAccessCheckOfFaults(t *testing.T) {
	file := written(t, "callers:\n  - {name: a b, roles: [root], tenants: [default]}\n")
	command{}.fails(t, exitUsage, []string{"3 faults"}, "access", "check", file)
	command{}.fails(t, exitUsage, []string{"no such file"}, "access", "check", file+".none")
	said := command{}.run("access", "check", file, "-o", "json")
	var g grants
	if err := json.Unmarshal([]byte(said.stdout), &g); err != nil || g.Valid || len(g.Findings) != 3 || g.Findings[0].Line != 2 {
		t.Errorf("%+v, %v:\n%s", g, err, said.stdout)
	}
}
