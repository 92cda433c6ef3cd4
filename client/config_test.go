package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func noToken(context.Context) (string, error) { return "t", nil }

// Every fault of the settings is named at once.
func TestFaultsOfSettings(t *testing.T) {
	dir := t.TempDir()
	empty, words := filepath.Join(dir, "empty"), filepath.Join(dir, "words")
	for path, text := range map[string]string{empty: "\n", words: "two words"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		config client.Config
		want   []string
	}{
		"nothing":              {client.Config{}, []string{"Target"}},
		"no port":              {client.Config{Target: "amends.example"}, []string{"Target"}},
		"one of two":           {client.Config{Target: "127.0.0.1:7070,"}, []string{"Target"}},
		"no scheme":            {client.Config{Target: "nothing://a:1", Insecure: true}, nil}, // gRPC takes it for a host
		"negative time":        {client.Config{Target: "127.0.0.1:7070", Timeout: -1}, []string{"Timeout"}},
		"plaintext and TLS":    {client.Config{Target: "a:1", Insecure: true, CA: "x"}, []string{"Insecure"}},
		"plaintext and token":  {client.Config{Target: "a:1", Insecure: true, Token: noToken}, []string{"Insecure"}},
		"a key alone":          {client.Config{Target: "a:1", Key: "x"}, []string{"Cert"}},
		"files that are gone":  {client.Config{Target: "a:1", CA: dir + "/1", Cert: dir + "/2", Key: dir + "/3", TokenFile: dir + "/4"}, []string{"TokenFile", "CA", "Cert"}},
		"files of other kinds": {client.Config{Target: "a:1", CA: words, Cert: words, Key: words, TokenFile: words}, []string{"TokenFile", "CA", "Cert"}},
		"an empty token":       {client.Config{Target: "a:1", TokenFile: empty}, []string{"TokenFile"}},
		"two tokens":           {client.Config{Target: "a:1", TokenFile: words, Token: noToken}, []string{"TokenFile", "TokenFile"}},
		"all":                  {client.Config{Target: "a", Timeout: -1, Cert: "x"}, []string{"Timeout", "Target", "Cert"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := client.New(row.config)
			if c != nil {
				c.Close()
			}
			var wrong *client.ConfigError
			var fields []string
			if errors.As(err, &wrong) {
				for _, f := range wrong.Faults {
					fields = append(fields, f.Field)
				}
			}
			if !slices.Equal(fields, row.want) {
				t.Errorf("faults of %v, want of %v: %v", fields, row.want, err)
			}
		})
	}
}

// Plaintext is spoken on this machine only, unless it is asked for: a server in
// plaintext is not reached at any name that might be elsewhere.
func TestPlaintextStaysHere(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &desk{})
	_, port := split(t, d.address)
	for target, plaintext := range map[string]bool{
		"127.0.0.1:" + port: true, "localhost:" + port: true, d.address + "," + d.address: true,
		"dns:///127.0.0.1:" + port: false, "passthrough:///127.0.0.1:" + port: false, d.address + ",0.0.0.0:" + port: false,
	} {
		for _, insecure := range []bool{false, true} {
			c := open(t, client.Config{Target: target, Insecure: insecure, Dial: impatient})
			_, err := c.ReportFailure(t.Context(), late("e-1", "c-1"))
			if reached := status.Code(err) == codes.OK; reached != (plaintext || insecure) {
				t.Errorf("%s, insecure %v: %v", target, insecure, err)
			}
		}
	}
	before := len(d.asked())
	if _, err := open(t, client.Config{Target: d.address, TLS: true, Dial: impatient}).ReportFailure(t.Context(), late("e-1", "c-1")); status.Code(err) != codes.Unavailable {
		t.Errorf("TLS with a server in plaintext: %v", err)
	}
	if len(d.asked()) != before {
		t.Error("it was called all the same")
	}
}

// A list of cases that turns in circles is not followed.
func TestListThatDoesNotEnd(t *testing.T) {
	c := open(t, client.Config{Target: newDesk(t, &desk{}).address})
	var last error
	for _, err := range c.Cases(t.Context(), &recoveryv1.ListCasesRequest{}) {
		last = err
	}
	if last == nil {
		t.Error("it ends in success")
	}
}

// Cases are listed over any number of pages.
func TestPages(t *testing.T) {
	c := open(t, client.Config{Target: address})
	tenant := "pages"
	for _, customer := range []string{"c-1", "c-2", "c-3"} {
		request := late("e-"+customer, customer)
		request.GetEvent().SetTenant(tenant)
		if _, err := c.ReportFailure(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	list := recoveryv1.ListCasesRequest_builder{Tenant: tenant, PageSize: 1}.Build()
	count := func(most int) (n int) {
		for one, err := range c.Cases(t.Context(), list) {
			if err != nil || one.GetTenant() != tenant {
				t.Fatal(one, err)
			}
			if n++; n == most {
				break
			}
		}
		return n
	}
	if all, some := count(100), count(2); all != 3 || some != 2 || list.GetPageToken() != "" {
		t.Errorf("%d and %d cases, and the request goes on at %q", all, some, list.GetPageToken())
	}
}
