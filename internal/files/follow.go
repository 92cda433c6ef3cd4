// Package files follows files that change while the service runs.
package files

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Settle is how long a change is given to be complete: editors and Kubernetes
// touch a file several times to replace it, and files that belong together are
// replaced one after the other.
const Settle = 100 * time.Millisecond

// recheck is how often the files are read without any sign of a change, for file
// systems that give none.
const recheck = 5 * time.Second

// Follow reads the named files whenever one of them changes, until the context
// ends, and hands all contents to onChange in the order of the names, or the
// error of reading them. The first reading is handed over too, so that no change
// is lost before the watch begins. It follows symbolic links anew each time, and
// so sees Kubernetes replace a ConfigMap or a Secret. What onChange does not take
// is handed over again, within 5 seconds. It returns nil when the context ends,
// and an error if nothing can be watched.
func Follow(ctx context.Context, onChange func(contents [][]byte, err error) (taken bool), names ...string) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", names[0], err)
	}
	defer watcher.Close()
	f := following{names: names, watcher: watcher, onChange: onChange}
	for _, name := range names {
		if err := watcher.Add(filepath.Dir(name)); err != nil {
			return fmt.Errorf("watch %s: %w", name, err)
		}
	}
	f.read()
	f.run(ctx)
	return nil
}

// following is one call of Follow.
type following struct {
	names    []string
	watcher  *fsnotify.Watcher
	onChange func([][]byte, error) bool
	seen     [][]byte // contents that were taken last
	trouble  string   // error of reading that was handed over last
}

func (f *following) run(ctx context.Context) {
	slow := time.NewTicker(recheck)
	defer slow.Stop()
	settled := time.NewTimer(0)
	<-settled.C
	for pending := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-f.watcher.Events: // of any file beside ours: links may point anywhere
			if !pending {
				pending = true
				settled.Reset(Settle)
			}
		case <-f.watcher.Errors: // events were lost; the files tell
			f.read()
		case <-settled.C:
			pending = false
			f.read()
		case <-slow.C:
			f.read()
		}
	}
}

// read hands over the contents of the files, or why they cannot be read, if that
// is not what was handed over last.
func (f *following) read() {
	f.follow()
	contents := make([][]byte, len(f.names))
	for i, name := range f.names {
		var err error
		if contents[i], err = os.ReadFile(name); err != nil {
			if err.Error() != f.trouble {
				f.trouble = err.Error()
				f.onChange(nil, err)
			}
			return
		}
	}
	if f.trouble == "" && f.seen != nil && slices.EqualFunc(contents, f.seen, bytes.Equal) {
		return
	}
	f.seen, f.trouble = nil, ""
	if f.onChange(contents, nil) {
		f.seen = contents
	}
}

// follow watches the folders that the files really are in, too: where a link
// leads out of its own folder, changes of the target are seen there only.
func (f *following) follow() {
	for _, name := range f.names {
		if target, err := filepath.EvalSymlinks(name); err == nil {
			// If that folder cannot be watched, the recheck still sees the change.
			_ = f.watcher.Add(filepath.Dir(target))
		}
	}
}
