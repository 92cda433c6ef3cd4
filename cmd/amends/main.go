// Command amends is the customer-recovery service and its command line.
//
// Start with `amends help`; `amends demo` tells what the service is for.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // calendars name time zones, and not every image has them
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks to end in order; from then on a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err))
}

// run is the whole program without its process: args exclude the program's name.
// A fault has already been explained on stderr when run returns it; exitCode says with which number to leave.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	return newApp(getenv, os.Stdin, stdout, stderr).run(ctx, args)
}
