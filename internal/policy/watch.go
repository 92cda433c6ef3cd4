package policy

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a change is given to be complete: editors and Kubernetes
// touch a file several times to replace it.
const settle = 100 * time.Millisecond

// recheck is how often the file is read without any sign of a change, for file
// systems that give none.
const recheck = 30 * time.Second

// Watch reads a policy file whenever it changes, until the context ends, and
// hands each new content to onChange: the compiled policy, or the findings as an
// error, in which case the caller keeps what it has. The first reading is handed
// over too, so that no change is lost before the watch begins. It follows
// symbolic links anew each time, and so sees Kubernetes replace a ConfigMap. It
// returns nil when the context ends, and an error if nothing can be watched.
func Watch(ctx context.Context, file string, onChange func(*Compiled, error)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", file, err)
	}
	defer watcher.Close()
	w := watch{file: file, watcher: watcher, onChange: onChange}
	if err := watcher.Add(filepath.Dir(file)); err != nil {
		return fmt.Errorf("watch %s: %w", file, err)
	}
	w.read()
	w.run(ctx)
	return nil
}

type watch struct {
	file     string
	watcher  *fsnotify.Watcher
	onChange func(*Compiled, error)
	seen     []byte // content that was handed over last
	trouble  string // error of reading that was handed over last
}

func (w *watch) run(ctx context.Context) {
	slow := time.NewTicker(recheck)
	defer slow.Stop()
	settled := time.NewTimer(0)
	<-settled.C
	for pending := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-w.watcher.Events: // of any file beside ours: links may point anywhere
			if !pending {
				pending = true
				settled.Reset(settle)
			}
		case <-w.watcher.Errors: // events were lost; the file tells
			w.read()
		case <-settled.C:
			pending = false
			w.read()
		case <-slow.C:
			w.read()
		}
	}
}

// read hands over the content of the file, or why it cannot be read, if it is
// not what was handed over last.
func (w *watch) read() {
	w.follow()
	text, err := os.ReadFile(w.file)
	if err != nil {
		if err.Error() != w.trouble {
			w.trouble = err.Error()
			w.onChange(nil, err)
		}
		return
	}
	if w.trouble == "" && w.seen != nil && bytes.Equal(text, w.seen) {
		return
	}
	w.seen, w.trouble = append([]byte{}, text...), ""
	compiled, findings := Parse(w.file, text)
	w.onChange(compiled, findings.Err())
}

// follow watches the folder that the file really is in, too: where a link leads
// out of its own folder, changes of the target are seen there only.
func (w *watch) follow() {
	if target, err := filepath.EvalSymlinks(w.file); err == nil {
		// If that folder cannot be watched, the recheck still sees the change.
		_ = w.watcher.Add(filepath.Dir(target))
	}
}
