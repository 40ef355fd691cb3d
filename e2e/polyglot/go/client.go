package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

type check struct {
	protocol string
	run      func(context.Context, string) error
}

// client tries each protocol on each NAME=HOST and prints one line of JSON for each.
func client(body int64, servers []string) {
	checks := []check{
		{"http1", func(ctx context.Context, host string) error { return greet(ctx, &http.Client{}, host+":"+portHTTP) }},
		{"upload", func(ctx context.Context, host string) error {
			return upload(ctx, &http.Client{}, host+":"+portHTTP, body)
		}},
		{"download", func(ctx context.Context, host string) error {
			return download(ctx, &http.Client{}, host+":"+portHTTP, body)
		}},
		{"http2", http2},
		{"websocket", talk},
		{"grpc", call},
	}
	limit := 30*time.Second + time.Duration(body>>20)*time.Second/4
	output := json.NewEncoder(os.Stdout)
	for _, server := range servers {
		name, host, _ := strings.Cut(server, "=")
		for _, check := range checks {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			fault := ""
			if err := check.run(ctx, host); err != nil {
				fault = err.Error()
			}
			cancel()
			output.Encode(map[string]string{"server": name, "protocol": check.protocol, "fault": fault})
		}
	}
}

// greet sends three requests, which must share one connection.
func greet(ctx context.Context, client *http.Client, address string) error {
	var dialled int
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if !got.Reused {
			dialled++
		}
	}})
	for range 3 {
		if _, err := text(ctx, client, http.MethodGet, "http://"+address+"/hello", nil); err != nil {
			return err
		}
	}
	if dialled != 1 {
		return fmt.Errorf("%d connections for 3 requests", dialled)
	}
	return nil
}

func upload(ctx context.Context, client *http.Client, address string, body int64) error {
	count, err := text(ctx, client, http.MethodPost, "http://"+address+"/sink", &source{total: body})
	if err == nil && count != fmt.Sprint(body) {
		err = fmt.Errorf("sent %d bytes, the server counts %s", body, count)
	}
	return err
}

func download(ctx context.Context, client *http.Client, address string, body int64) error {
	var sink sink
	err := request(ctx, client, http.MethodGet, fmt.Sprintf("http://%s/source?bytes=%d", address, body), nil, &sink)
	if err == nil && sink.at != body {
		err = fmt.Errorf("asked for %d bytes, got %d", body, sink.at)
	}
	return err
}

func http2(ctx context.Context, host string) error {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	address := host + ":" + portHTTP2
	if err := greet(ctx, client, address); err != nil {
		return err
	}
	if err := upload(ctx, client, address, http2Body); err != nil {
		return err
	}
	return download(ctx, client, address, http2Body)
}

func text(ctx context.Context, client *http.Client, method, url string, body io.Reader) (string, error) {
	var answer bytes.Buffer
	err := request(ctx, client, method, url, body, &answer)
	return answer.String(), err
}

func request(ctx context.Context, client *http.Client, method, url string, body io.Reader, into io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s %s", response.Status, text)
	}
	_, err = io.Copy(into, response.Body)
	return err
}

// talk has a WebSocket's messages sent back: a text, and bytes of each length's form.
func talk(ctx context.Context, host string) error {
	socket, _, err := websocket.Dial(ctx, "ws://"+host+":"+portWebSocket+"/", nil)
	if err != nil {
		return err
	}
	socket.SetReadLimit(1 << 20)
	for _, length := range []int{5, 300, 100_000} {
		sent := bytes.Repeat([]byte{'x'}, length)
		if err := socket.Write(ctx, websocket.MessageBinary, sent); err != nil {
			return err
		}
		if _, got, err := socket.Read(ctx); err != nil || !bytes.Equal(got, sent) {
			return fmt.Errorf("%d bytes came back as %d: %w", length, len(got), err)
		}
	}
	return socket.Close(websocket.StatusNormalClosure, "")
}

// call makes one call that succeeds, one that fails, and one with a stream in each direction.
func call(ctx context.Context, host string) error {
	connection, err := grpc.NewClient("dns:///"+host+":"+portGRPC,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		return err
	}
	defer connection.Close()
	sent, got := []byte("hello"), []byte{}
	if err := connection.Invoke(ctx, "/weft.Polyglot/Say", &sent, &got); err != nil || !bytes.Equal(sent, got) {
		return fmt.Errorf("Say: %q: %w", got, err)
	}
	fault := status.Convert(connection.Invoke(ctx, "/weft.Polyglot/Fail", &sent, &got))
	if fault.Code() != codes.NotFound || fault.Message() != nobody {
		return fmt.Errorf("Fail: %v", fault)
	}
	return converse(ctx, connection)
}

func converse(ctx context.Context, connection *grpc.ClientConn) error {
	both := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := connection.NewStream(ctx, both, "/weft.Polyglot/Chat")
	if err != nil {
		return err
	}
	for i := range 3 {
		sent, got := fmt.Appendf(nil, "message %d", i), []byte{}
		if err := stream.SendMsg(&sent); err != nil {
			return err
		}
		if err := stream.RecvMsg(&got); err != nil || !bytes.Equal(sent, got) {
			return fmt.Errorf("Chat: %q: %w", got, err)
		}
	}
	stream.CloseSend()
	if err := stream.RecvMsg(&[]byte{}); err != io.EOF {
		return fmt.Errorf("Chat does not end: %w", err)
	}
	return nil
}
