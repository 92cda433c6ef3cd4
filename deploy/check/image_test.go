package check

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// image is a stage of the Dockerfile, its steps carried out in a folder.
type image struct {
	root    string // the folder that stands for /
	base    string
	workdir string
	args    []string // NAME=VALUE, seen by RUN
	env     []string // NAME=VALUE, seen by RUN and by what runs in the image
	user    string
	ports   []string
	health  []string
	command []string // entry point and arguments
	steps   int
}

// release is the version that the test builds.
const release = "v0.0.0-check"

var (
	building sync.Once
	made     *image // the last stage, nil if it could not be made
)

// TestMain has a folder for the image, which several tests use.
func TestMain(m *testing.M) {
	top, err := os.MkdirTemp("", "amends-image-")
	if err != nil {
		panic(err)
	}
	imageFolder = top
	code := m.Run()
	_ = os.RemoveAll(top) // Go's caches are elsewhere
	os.Exit(code)
}

var imageFolder string

// theImage is the last stage of the Dockerfile, carried out once.
func theImage(t *testing.T) *image {
	t.Helper()
	building.Do(func() { made = buildImage(t, imageFolder) })
	if made == nil {
		t.Fatal("the Dockerfile cannot be carried out; another test says why")
	}
	return made
}

// buildImage carries out the Dockerfile below the folder top.
func buildImage(t *testing.T, top string) *image {
	t.Helper()
	parsed, err := parser.Parse(bytes.NewReader(read(t, "Dockerfile")))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	context := filepath.Join(top, "context")
	unpackContext(t, context)
	built := map[string]*image{"": {root: context, workdir: "/"}}
	var last *image
	for n, stage := range stages {
		last = &image{root: filepath.Join(top, "stage"+string(rune('0'+n))), base: stage.BaseName, workdir: "/"}
		for _, step := range stage.Commands {
			last.carryOut(t, step, built)
		}
		built[stage.Name] = last
	}
	return last
}

func (i *image) carryOut(t *testing.T, step instructions.Command, built map[string]*image) {
	t.Helper()
	i.steps++
	switch s := step.(type) {
	case *instructions.WorkdirCommand:
		i.workdir = s.Path
		i.mkdir(t, s.Path)
	case *instructions.ArgCommand:
		for _, arg := range s.Args {
			value := arg.ValueString()
			if arg.Key == "VERSION" {
				value = release
			}
			i.args = append(i.args, arg.Key+"="+value)
		}
	case *instructions.EnvCommand:
		for _, pair := range s.Env {
			i.env = append(i.env, pair.Key+"="+pair.Value)
		}
	case *instructions.CopyCommand:
		from, ok := built[s.From]
		if !ok {
			t.Fatalf("%s: no stage %q", s, s.From)
		}
		for _, source := range s.SourcePaths {
			i.copy(t, from, source, s.DestPath)
		}
	case *instructions.RunCommand:
		i.run(t, strings.Join(s.CmdLine, " "))
	case *instructions.UserCommand:
		i.user = s.User
	case *instructions.ExposeCommand:
		i.ports = append(i.ports, s.Ports...)
	case *instructions.HealthCheckCommand:
		i.health = s.Health.Test
	case *instructions.EntrypointCommand:
		i.command = append(s.CmdLine, i.command...)
	case *instructions.CmdCommand:
		i.command = append(i.command, s.CmdLine...)
	default:
		t.Fatalf("%s: this test does not know how to carry that out", step)
	}
}

// path is where a path of the image is; what is relative starts at WORKDIR.
func (i *image) path(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(i.workdir, path)
	}
	return filepath.Join(i.root, path)
}

func (i *image) mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(i.path(path), 0o755); err != nil {
		t.Fatal(err)
	}
}

// absolute finds the paths in a command that are meant in the image.
var absolute = regexp.MustCompile(`(^|[ =])/`)

func (i *image) run(t *testing.T, line string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", absolute.ReplaceAllString(line, "${1}"+i.root+"/"))
	cmd.Dir = i.path("")
	cmd.Env = append(append(os.Environ(), i.env...), i.args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("RUN %s: %v\n%s", line, err, out)
	}
}

// copy does what COPY does: the contents of a folder, or a file, into a folder
// or to a new name.
func (i *image) copy(t *testing.T, from *image, source, to string) {
	t.Helper()
	src, dest := from.path(source), i.path(to)
	info, err := os.Stat(src)
	if err != nil {
		t.Fatalf("COPY %s: %v", source, err)
	}
	into, err := os.Stat(dest)
	switch {
	case info.IsDir():
		err = copyFolder(src, dest)
	case strings.HasSuffix(to, "/") || err == nil && into.IsDir():
		err = copyFile(src, filepath.Join(dest, filepath.Base(src)))
	default:
		err = copyFile(src, dest)
	}
	if err != nil {
		t.Fatalf("COPY %s %s: %v", source, to, err)
	}
}

// copyFolder copies what is in a folder over what is there.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyFile(path, filepath.Join(to, inside))
	})
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// unpackContext lays out what an engine would be sent: what is committed, less
// what .dockerignore leaves out.
func unpackContext(t *testing.T, folder string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "archive", "--format=tar", "HEAD")
	cmd.Dir = repository
	archive, err := cmd.Output()
	if err != nil {
		t.Fatalf("git archive: %v", err)
	}
	ignored := ignores(t)
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg || ignored(header.Name) {
			continue
		}
		path := filepath.Join(folder, header.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, header.FileInfo().Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

// ignores tells which paths .dockerignore leaves out.
func ignores(t *testing.T) func(path string) bool {
	t.Helper()
	patterns, err := ignorefile.ReadAll(bytes.NewReader(read(t, ".dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return func(path string) bool {
		out, err := matcher.MatchesOrParentMatches(path)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}
