package policy

import "github.com/makeamends/amends/internal/document"

// Finding is one fault of a file, and where it stands.
type Finding = document.Finding

// Findings are the faults of a file, in the order of its lines.
type Findings = document.Findings

// What the compiler calls the file that it compiles, and the way to a field.
type (
	source = document.Document
	path   = document.Path
	key    = document.Key
)
