package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func TestFullNames(t *testing.T) {
	about := (&recoveryv1.FailureEvent{}).ProtoReflect().Descriptor()
	for name, row := range map[string]struct{ record, want string }{
		"lists and single values": {`{"kinds": ["LATE", "FAILURE_KIND_RUDE" ,"UNSAFE"], "channel":"SOCIAL"}`,
			`{"kinds": ["FAILURE_KIND_LATE", "FAILURE_KIND_RUDE" ,"FAILURE_KIND_UNSAFE"], "channel":"CHANNEL_SOCIAL"}`},
		"within, by either name": {`{"resource_lost": "TIME", "attribution": {"locus": "FIRM"}, "orderValue": {"units": 18}}`,
			`{"resource_lost": "RESOURCE_LOST_TIME", "attribution": {"locus": "LOCUS_FIRM"}, "orderValue": {"units": 18}}`},
		"text is no name":         {`{"customerId": "LATE", "eventId": "{\"kinds\": \"LATE\"}"}`, ""},
		"a field that is unknown": {`{"what": {"kinds": ["LATE"]}, "kinds": 1}`, ""},
		"a name that is unknown":  {`{"kinds": ["LAT", "UNSPECIFIED", ""]}`, ""},
		"what stands twice stays": {`{"channel": "APP", "channel": "WEB"}`, `{"channel": "CHANNEL_APP", "channel": "WEB"}`},
		"no JSON":                 {`{"kinds": ["LATE"`, ""},
		"no object":               {`["LATE"]`, ""},
	} {
		if diff := cmp.Diff(row.want, string(fullNames([]byte(row.record), about))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Files take the names that the flags take, and a wrong one is told what there is.
func TestShortNamesInFiles(t *testing.T) {
	server := service(t)
	c := command{stdin: strings.NewReader(`{"eventId": "e-1", "customerId": "c-1", "kinds": ["LATE", "RUDE"], "channel": "SOCIAL", "occurredAt": "2026-01-02T03:04:05Z"}`)}
	answer := parse(t, c.works(t, "report", "--server", server, "-f", "-", "-o", "json").stdout, &recoveryv1.ReportFailureResponse{})
	if f := answer.GetCase().GetFailures()[0]; len(f.GetKinds()) != 2 || f.GetChannel() != recoveryv1.Channel_CHANNEL_SOCIAL {
		t.Errorf("it arrived as %v", f)
	}
	c.stdin = strings.NewReader(`{"eventId": "e-2", "customerId": "c-1", "kinds": ["LATE"], "attribution": {"motive": "GRED"}}`)
	c.fails(t, exitUsage, []string{`standard input:1:`, `"GRED"`, "it takes UNINTENDED", "GREED"}, "report", "--server", server, "-f", "-")
}
