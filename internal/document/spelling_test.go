package document

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "12h": 12 * time.Hour, "180d": 180 * day, "1d12h": 36 * time.Hour, "30s": 30 * time.Second,
		"1d2h3m4s": 26*time.Hour + 3*time.Minute + 4*time.Second, "0s": 0,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "m", "5 m", "-5m", "5m1h", "5m5m", "1.5h", "1w", "99999999999999999999d", "200000d", "1h "} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
