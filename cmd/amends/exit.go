package main

import (
	"fmt"
	"io"
)

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	return 1
}

func explain(w io.Writer, err error) {
	fmt.Fprintf(w, "amends: %v\n", err)
}
