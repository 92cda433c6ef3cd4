package policy

import (
	"context"

	"github.com/makeamends/amends/internal/files"
)

// Watch reads a policy file whenever it changes, until the context ends, and
// hands each new content to onChange: the compiled policy, or the findings as an
// error, in which case the caller keeps what it has. Otherwise it does as
// [files.Follow] does; findings stay until the file changes, so they count as taken.
func Watch(ctx context.Context, file string, onChange func(*Compiled, error) (taken bool)) error {
	return files.Follow(ctx, func(contents [][]byte, err error) bool {
		if err != nil {
			return onChange(nil, err)
		}
		compiled, findings := Parse(file, contents[0])
		return onChange(compiled, findings.Err()) || compiled == nil
	}, file)
}
