package main

import (
	"bytes"
	"fmt"
	"io"
)

// Byte i of a body is i % period, so that a lost, repeated or changed byte is seen wherever it is.
const period = 251

var pattern = func() []byte {
	bytes := make([]byte, period+1<<16)
	for i := range bytes {
		bytes[i] = byte(i % period)
	}
	return bytes
}()

// A source is a body of so many bytes.
type source struct{ at, total int64 }

func (s *source) Read(buffer []byte) (int, error) {
	if s.at == s.total {
		return 0, io.EOF
	}
	from := s.at % period
	until := min(int64(len(pattern)), from+s.total-s.at)
	n := copy(buffer, pattern[from:until])
	s.at += int64(n)
	return n, nil
}

// A sink compares what it is given with a body, and counts.
type sink struct{ at int64 }

func (s *sink) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		from := int(s.at % period)
		n := min(len(rest), len(pattern)-from)
		if !bytes.Equal(rest[:n], pattern[from:from+n]) {
			return 0, fmt.Errorf("a wrong byte after %d", s.at)
		}
		s.at += int64(n)
		rest = rest[n:]
	}
	return len(data), nil
}
