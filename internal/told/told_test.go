package told_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/told"
)

func TestNews(t *testing.T) {
	var l told.Log
	start := time.Unix(1_000_000, 0)
	for _, step := range []struct {
		at      time.Duration
		reasons []string
		want    bool
	}{
		{0, []string{"refused"}, true},
		{time.Second, []string{"refused"}, false},
		{2 * time.Second, []string{"full"}, true},
		{3 * time.Second, []string{"refused"}, false},
		{4 * time.Second, []string{"full", "alone"}, true},
		{59 * time.Second, []string{"refused", "full"}, false},
		{60 * time.Second, []string{"refused"}, true},
		{61 * time.Second, []string{"refused"}, false},
		{10 * time.Minute, []string{"refused"}, true},
	} {
		if news := l.News(start.Add(step.at), "the store", step.reasons...); news != step.want {
			t.Errorf("after %s: told of %q: %t", step.at, step.reasons, news)
		}
	}
	if !l.News(start, "another", "refused") || l.Over("a third") || !l.Over("the store") || l.Over("the store") || !l.Over("another") {
		t.Error("one trouble is taken for another")
	}
	if !l.News(start.Add(10*time.Minute), "the store", "refused") {
		t.Error("not told of trouble that begins anew")
	}
}

// A reason with another number in it each time is told ten times a minute.
func TestReasonsThatNeverRepeat(t *testing.T) {
	var l told.Log
	times := 0
	for i := range 100 {
		if l.News(time.Unix(0, 0).Add(time.Duration(i)*500*time.Millisecond), "x", fmt.Sprint(i)) {
			times++
		}
	}
	if times != 10 {
		t.Errorf("told %d times", times)
	}
}
