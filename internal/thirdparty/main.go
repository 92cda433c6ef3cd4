// Command thirdparty writes the .proto files that the contract imports (validation rules, Google's API and RPC types, money)
// below the folder named as its one argument.
//
// buf would fetch them from its schema registry. That would tie every build to one more server and to versions that may differ
// from those we link, so they are printed out of the descriptors inside the Go packages that go.mod pins.
// The folder is ignored by git: it can be made anew at any time, without a network.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// Each of these registers the descriptors of the files that it was generated from, and of those they import.
	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	_ "google.golang.org/genproto/googleapis/type/money"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: thirdparty FOLDER")
		os.Exit(2)
	}
	if err := export(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "thirdparty:", err)
		os.Exit(1)
	}
}

// export writes every registered file except google/protobuf/, which buf brings along itself.
func export(folder string) error {
	var failed error
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(file.Path(), "google/protobuf/") {
			return true
		}
		failed = write(folder, file)
		return failed == nil
	})
	return failed
}

func write(folder string, file protoreflect.FileDescriptor) error {
	path := filepath.Join(folder, filepath.FromSlash(file.Path()))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	printer := protoprint.Printer{}
	if err := printer.PrintProtoFile(file, out); err != nil {
		_ = out.Close()
		return fmt.Errorf("printing %s: %w", file.Path(), err)
	}
	return out.Close()
}
