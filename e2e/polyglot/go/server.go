package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func serve() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", hello)
	mux.HandleFunc("POST /sink", swallow)
	mux.HandleFunc("GET /source", pour)
	go func() { fail(http.ListenAndServe(":"+portHTTP, mux)) }()
	go func() { fail(http.ListenAndServe(":"+portWebSocket, http.HandlerFunc(echo))) }()
	go func() { fail(serveHTTP2(mux)) }()
	fail(serveGRPC())
}

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, language) }

func swallow(w http.ResponseWriter, r *http.Request) {
	var sink sink
	if _, err := io.Copy(&sink, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, sink.at)
}

func pour(w http.ResponseWriter, r *http.Request) {
	total, err := strconv.ParseInt(r.FormValue("bytes"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	io.Copy(w, &source{total: total}) // a client that goes away says so itself
}

// echo sends each message of a WebSocket back.
func echo(w http.ResponseWriter, r *http.Request) {
	socket, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	socket.SetReadLimit(1 << 20)
	for {
		kind, message, err := socket.Read(r.Context())
		if err != nil || socket.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// serveHTTP2 knows only HTTP/2, without TLS and without an upgrade.
func serveHTTP2(handler http.Handler) error {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Addr: ":" + portHTTP2, Handler: handler, Protocols: &protocols}
	return server.ListenAndServe()
}

// raw lets messages be bytes, so that no language needs generated code.
type raw struct{}

func (raw) Name() string                       { return "raw" }
func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte{}, data...); return nil }

func serveGRPC() error {
	listener, err := net.Listen("tcp", ":"+portGRPC)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "weft.Polyglot",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: say}, {MethodName: "Fail", Handler: refuse}},
		Streams:     []grpc.StreamDesc{{StreamName: "Chat", Handler: chat, ServerStreams: true, ClientStreams: true}},
	}, struct{}{})
	return server.Serve(listener)
}

func say(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var message []byte
	return &message, read(&message)
}

func refuse(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var message []byte
	if err := read(&message); err != nil {
		return nil, err
	}
	return nil, status.Error(codes.NotFound, nobody)
}

func chat(_ any, stream grpc.ServerStream) error {
	for {
		var message []byte
		if err := stream.RecvMsg(&message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
}
