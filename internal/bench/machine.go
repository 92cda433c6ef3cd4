package bench

import (
	"os"
	"runtime"
	"strings"
)

// Machine is where the figures were measured.
type Machine struct {
	System     string `json:"system"` // operating system, kernel and architecture
	Processor  string `json:"processor"`
	Processors int    `json:"processors"`
	Memory     int64  `json:"memory_bytes"`
	Go         string `json:"go"`
	Version    string `json:"version"` // of this program
	Redis      string `json:"redis,omitempty"`
}

// ThisMachine reads what Linux tells of it; elsewhere much stays empty.
func ThisMachine(version string) Machine {
	m := Machine{
		System:     runtime.GOOS + " " + runtime.GOARCH,
		Processors: runtime.NumCPU(),
		Go:         runtime.Version(),
		Version:    version,
		Processor:  field("/proc/cpuinfo", "model name"),
		Memory:     kilobytes(field("/proc/meminfo", "MemTotal")),
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System = runtime.GOOS + " " + strings.TrimSpace(string(release)) + ", " + runtime.GOARCH
	}
	return m
}
