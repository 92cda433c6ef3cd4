package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"time"
)

// note remembers how far a file has been taken in, beside the file, so that the same command goes on there.
type note struct {
	// Of another server, tenant or format the records would be others.
	Server  string `json:"server"`
	Tenant  string `json:"tenant"`
	Format  string `json:"format"`
	MakeIDs bool   `json:"makeIds"`

	Records  int    `json:"records"` // that have their answer
	Line     int    `json:"line"`    // of the last of them
	Hash     string `json:"hash"`    // of these records
	Recorded int    `json:"recorded"`
	Replayed int    `json:"replayed"`
	Failed   int    `json:"failed"`
	Rejects  int64  `json:"rejectsBytes"`

	RejectsHash string `json:"rejectsHash"` // of so many bytes of the rejects
}

// isOf tells whether the note was made by the same command.
func (n *note) isOf(other *note) bool {
	return n.Server == other.Server && unnamed(n.Tenant) == unnamed(other.Tenant) && n.Format == other.Format && n.MakeIDs == other.MakeIDs
}

// tally is what became of the records that the note is about.
func (n *note) tally() tally {
	t := tally{recorded: n.Recorded, replayed: n.Replayed, failed: n.Failed, before: n.Records}
	if n.Failed > 0 {
		t.first = &usageError{err: errors.New("refused in an earlier run")}
	}
	return t
}

// readNote gives the note of an interrupted run; nil if there is none.
func readNote(path string) (*note, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || path == "" {
		return nil, nil
	}
	n := &note{}
	if err == nil {
		err = json.Unmarshal(raw, n)
	}
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("%s does not tell how far an earlier run came: %w; remove it, or begin anew with --restart", path, err)}
	}
	return n, nil
}

// write replaces the note in one step: a crash leaves the old one or the new one.
func (n *note) write(path string) (err error) {
	raw, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(raw, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// The note is written every second, and after so many records: seldom enough to cost nothing, often enough that little is sent again.
const (
	noted     = time.Second
	notedEach = 1000
)

// fingerprint grows with every record.
type fingerprint struct{ hash.Hash }

func newFingerprint() fingerprint { return fingerprint{sha256.New()} }

func (f fingerprint) add(r record) {
	_, _ = f.Write(r.raw)
	_, _ = f.Write([]byte{'\n'})
}

func (f fingerprint) String() string { return hex.EncodeToString(f.Sum(nil)) }
