package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// field is the first value of that name in a file of lines such as "name: value".
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kilobytes reads "123 kB".
func kilobytes(text string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64)
	return n << 10
}

// memory is what a process has in memory now, in MiB.
func memory(pid int) float64 {
	return mebibytes(kilobytes(field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")))
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
