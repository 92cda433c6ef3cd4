package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// text is a file of records, unpacked and looked into.
type text struct {
	name   string // for messages
	in     *bufio.Reader
	format string // ndjson or csv
	size   int64  // of the file as it is stored; 0: not known
	read   atomic.Int64
	close  func()
}

// openText opens a file for as long as ctx lasts; "-" is standard input.
func (a *app) openText(ctx context.Context, path, format string) (_ *text, err error) {
	t := &text{name: path, close: func() {}}
	var stored io.Reader
	if path == "-" {
		t.name, stored = "standard input", interruptible(ctx, a.stdin)
	} else if isPipe(path) {
		pipe := piped(ctx, path)
		t.close, stored = func() { _ = pipe.Close() }, pipe
	} else {
		file, err := os.Open(path)
		if err != nil {
			return nil, &usageError{err: err}
		}
		t.close = func() { _ = file.Close() }
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			t.size = info.Size()
		}
		stored = file
	}
	if t.in, err = t.unpack(stored); err == nil {
		t.format, err = t.recognise(path, format)
	}
	if err != nil {
		t.close()
		if ctx.Err() != nil {
			return nil, &stopped{ctx.Err()}
		}
		if folder := new(fs.PathError); errors.As(err, &folder) {
			err = folder.Err // which names the file once more
		}
		return nil, &usageError{err: fmt.Errorf("%s: %w", t.name, err)}
	}
	return t, nil
}

// isPipe tells what is read once: standard input, a named pipe, and what a shell makes of <(program). Nothing can be kept beside it.
func isPipe(path string) bool {
	info, err := os.Stat(path)
	const special = fs.ModeNamedPipe | fs.ModeSocket | fs.ModeDevice
	return path == "-" || strings.HasPrefix(filepath.Clean(path), "/dev/") || err == nil && info.Mode()&special != 0
}

// piped reads a named pipe. It opens when somebody writes into it, which may never be.
func piped(ctx context.Context, path string) io.ReadCloser {
	return pumped(ctx, func(out io.Writer) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(out, file)
		return err
	})
}

// share is how much of the file has been read, 0 to 1.
func (t *text) share() float64 { return float64(t.read.Load()) / float64(max(t.size, 1)) }

// counted counts what is read of the file as it is stored.
type counted struct {
	in io.Reader
	n  *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// unpack takes gzip apart, which is known by its content, and refuses what is no UTF-8.
func (t *text) unpack(stored io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(counted{stored, &t.read}, 64<<10)
	if start, _ := in.Peek(2); isPacked(start) {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = bufio.NewReaderSize(unpacked, 64<<10)
	}
	start, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) || bytes.IndexByte(start, 0) >= 0 {
		return nil, fmt.Errorf("this is UTF-16, not UTF-8: save it as UTF-8, or convert it (iconv -f UTF-16 -t UTF-8 %s)", t.name)
	}
	skipMark(in)
	return in, nil
}

// recognise tells the format: JSON begins with a bracket, else the name decides, else it is CSV.
func (t *text) recognise(path, format string) (string, error) {
	if format != formatAuto {
		return format, nil
	}
	start, err := t.in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	start = bytes.TrimLeft(start, " \t\r\n")
	if len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		return formatNDJSON, nil
	}
	name := strings.TrimSuffix(strings.ToLower(path), ".gz")
	for _, ending := range []string{".ndjson", ".jsonl", ".json"} {
		if strings.HasSuffix(name, ending) {
			return formatNDJSON, nil
		}
	}
	return formatCSV, nil
}

// The formats of --format.
const (
	formatAuto   = "auto"
	formatNDJSON = "ndjson"
	formatCSV    = "csv"
)
