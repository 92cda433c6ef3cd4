package client_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// The page for callers has the settings that are in force, and every reason.
func TestPageForCallers(t *testing.T) {
	text, err := os.ReadFile("../docs/client.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	_, rest, _ := strings.Cut(page, "```json\n")
	block, _, _ := strings.Cut(rest, "```")
	if !reflect.DeepEqual(parsed(t, block), parsed(t, client.ServiceConfig())) {
		t.Error("docs/client.md has another service config than client/service_config.json")
	}
	rows := map[string]string{} // reason → code
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) == 5 {
			rows[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[2])
		}
	}
	for number, name := range recoveryv1.ErrorReason_name {
		if number == 0 {
			continue
		}
		name := strings.TrimPrefix(name, "ERROR_REASON_")
		if _, known := code.Code_value[rows[name]]; !known {
			t.Errorf("docs/client.md says of %s that its code is %q", name, rows[name])
		}
	}
}

func parsed(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return value
}
