// Polyglot in Go: `serve` speaks HTTP/1.1, WebSocket, HTTP/2 and gRPC; `client` tries each of them on each server.
package main

import (
	"fmt"
	"os"
	"strconv"
)

// The same in each language.
const (
	language      = "go"
	portHTTP      = "8080"
	portWebSocket = "8081"
	portHTTP2     = "8082"
	portGRPC      = "8083"
	// The body of an HTTP/2 request or response, beyond any window's first size.
	http2Body = 4 << 20
	// The message of a gRPC status, so that its encoding is seen.
	nobody = "nobody here: ü"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		serve()
	} else if len(os.Args) > 3 && os.Args[1] == "client" {
		mebibytes, err := strconv.ParseInt(os.Args[2], 10, 64)
		if err != nil {
			fail(err)
		}
		client(mebibytes<<20, os.Args[3:])
	} else {
		fail(fmt.Errorf("usage: serve | client MEBIBYTES NAME=HOST..."))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
