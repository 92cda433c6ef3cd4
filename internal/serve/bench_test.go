package serve_test

import (
	"io"
)

func serveEcho() (stop func(), addr string, err error) { return nil, "", io.EOF }
