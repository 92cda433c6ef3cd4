package serve

// reload remembers how the last reading of a file went that may change.
type reload struct {
	file    string
	trouble string
}

// reloaded tells how it went this time; the same fault is told once. What is not
// taken over changes nothing.
func (s *Server) reloaded(r *reload, err error) {
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	switch {
	case err == nil:
		s.telemetry.Metrics.FilesInForce(r.file, true)
		s.config.Logger.Info("changed files were taken over", "files", r.file)
	case trouble != r.trouble:
		s.telemetry.Metrics.FilesRefused(r.file)
		s.telemetry.Metrics.FilesInForce(r.file, false)
		s.config.Logger.Error("changed files were not taken over; what was in force stays", "files", r.file, "error", err)
	}
	r.trouble = trouble
}
