package bench

import "testing"

func TestFailuresBefore(t *testing.T) {
	for _, row := range []struct {
		length
		reports int
		want    string
	}{
		{length{1, 1000}, 500, "1"},
		{length{1, 1000}, 1000, "1"},
		{length{1, 1000}, 1001, "1 to 2"},
		{length{1, 20}, 500, "1 to 25"},
		{length{1000, 20}, 500, "1,000 to 1,024"},
		{length{10, 1000}, 0, "10"},
	} {
		if got := row.before(row.reports); got != row.want {
			t.Errorf("%d reports of %d customers after %d: %q, want %q", row.reports, row.customers, row.failures, got, row.want)
		}
	}
}
