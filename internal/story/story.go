// Package story holds the stories that the service was built from, and plays
// them through a RecoveryService.
//
// The stories are data (stories.yaml): the demo tells them, and the golden
// tests compare every figure that they expect with what the server answers.
package story

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

//go:embed stories.yaml
var source []byte

// Story is what happened to one customer, and what the service must answer.
type Story struct {
	ID     string
	Title  string
	Tell   string
	Steps  []Step
	Expect *Expectation // of a story about a decision
	Ends   *Ending      // of a story about what follows one
}

// Step is one thing that happens, at a time relative to the story's decision.
type Step struct {
	At        Offset
	Say       string
	Positives map[string]int // kind of interaction and how many of it
	Report    map[string]any // a FailureEvent in its JSON form, without ids and times
	Look      bool           // nothing happens; the case is read again
	Take      string         // a step with the case: a key of takes
}

// Ending is how a case must stand in the end.
type Ending struct {
	State           string
	Outcome         string
	DoubleDeviation bool     `yaml:"double_deviation"`
	Missed          []string // milestones, in the order of the deadlines
	Offers          []string // states, oldest first
}

// Expectation is what the last step must show. Amounts are minor units.
type Expectation struct {
	Severity float64
	LogOdds  float64 `yaml:"log_odds"`
	Noticed  float64
	Baseline float64
	Risk     struct {
		Ignored float64
		OnTime  float64 `yaml:"on_time"`
		Late    float64
		Band    string
	}
	Escalation    float64
	PositivesOwed int64 `yaml:"positives_owed"`
	Reasons       map[string]float64
	Ratio         float64
	Money         struct{ Restitution, Goodwill, Automatic, Approval int64 }
	FirstResponse struct {
		Within   Offset
		Bound    string
		Promised Offset // when, relative to the decision
	} `yaml:"first_response"`
}

// Offset is a span of time written with days: 180d, -2d, 90m, +14h.
type Offset time.Duration

// UnmarshalYAML reads the written form.
func (o *Offset) UnmarshalYAML(node *yaml.Node) error {
	d, err := parseOffset(node.Value)
	*o = Offset(d)
	return err
}

func parseOffset(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		return time.Duration(n * float64(24*time.Hour)), err
	}
	return time.ParseDuration(text)
}

// All gives the stories in the order in which they are told.
func All() ([]Story, error) {
	var file struct{ Stories []Story }
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("read the stories: %w", err)
	}
	return file.Stories, nil
}

// event makes the step's FailureEvent as it happens at one moment.
func (s Step) event(at time.Time) (*recoveryv1.FailureEvent, error) {
	form := spell(s.Report)
	if leaves, ok := form["departsAt"].(string); ok {
		after, err := parseOffset(leaves)
		if err != nil {
			return nil, err
		}
		form["departsAt"] = at.Add(after).Format(time.RFC3339Nano)
	}
	text, err := json.Marshal(form)
	if err != nil {
		return nil, err
	}
	event := &recoveryv1.FailureEvent{}
	if err := protojson.Unmarshal(text, event); err != nil {
		return nil, err
	}
	event.SetOccurredAt(timestamppb.New(at))
	return event, nil
}

// prefixes of the enums that a report names by their short spelling.
var prefixes = map[string]string{
	"kinds": "FAILURE_KIND_", "channel": "CHANNEL_", "voice": "VOICE_", "acceptance": "ACCEPTANCE_",
	"motive": "MOTIVE_", "locus": "LOCUS_", "resourceLost": "RESOURCE_LOST_", "corroboration": "CORROBORATION_",
	"relationship": "RELATIONSHIP_",
}

// spell copies a report with the enum names written out.
func spell(form map[string]any) map[string]any {
	out := make(map[string]any, len(form))
	for key, value := range form {
		prefix := prefixes[key]
		switch v := value.(type) {
		case map[string]any:
			out[key] = spell(v)
		case []any:
			list := make([]any, len(v))
			for i, item := range v {
				list[i] = prefix + fmt.Sprint(item)
			}
			out[key] = list
		case string:
			out[key] = prefix + v
		default:
			out[key] = v
		}
	}
	return out
}
