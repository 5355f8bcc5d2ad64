// Command encoders compresses with the encoders that made most image layers: Go's gzip, the parallel gzip of skopeo and podman, and their
// zstd. It is built as a WebAssembly reactor without files or clocks: the host opens an encoder, passes it input and takes its output.
package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	olderflate "klauspost/v1.17/compress/flate"
)

// The kinds of encoders, as in go-encoders.ts.
const (
	standardGzip = iota
	blockGzip
	olderBlockGzip
	standardZstd
)

var (
	input   [256 * 1024]byte
	output  bytes.Buffer
	encoder io.WriteCloser
)

// open begins a stream. Returns 0, or -1 if there is no such encoder.
//
//go:wasmexport open
func open(kind, level int32) int32 {
	if encoder != nil {
		// An abandoned encoder may have goroutines, which end with it.
		encoder.Close()
		encoder = nil
	}
	output.Reset()
	// The memory of WebAssembly never shrinks: the next encoder gets that of the last one.
	runtime.GC()
	var err error
	encoder, err = newEncoder(kind, int(level))
	if err != nil || encoder == nil {
		encoder = nil
		return -1
	}
	return 0
}

func newEncoder(kind int32, level int) (io.WriteCloser, error) {
	switch kind {
	case standardGzip:
		return gzip.NewWriterLevel(&output, level)
	case blockGzip:
		deflater, err := flate.NewWriter(io.Discard, level)
		return newBlockWriter(&output, deflater, level), err
	case olderBlockGzip:
		deflater, err := olderflate.NewWriter(io.Discard, level)
		return newBlockWriter(&output, deflater, level), err
	case standardZstd:
		speed := zstd.EncoderLevel(level)
		// The best level needs the most memory: a smaller history makes the same bytes, and costs the others half of their speed.
		isLow := speed == zstd.SpeedBestCompression
		return zstd.NewWriter(&output, zstd.WithEncoderLevel(speed), zstd.WithLowerEncoderMem(isLow))
	}
	return nil, nil
}

// input_at returns where the host writes input, at most input_size bytes at a time.
//
//go:wasmexport input_at
func inputAt() unsafe.Pointer { return unsafe.Pointer(&input) }

//go:wasmexport input_size
func inputSize() int32 { return int32(len(input)) }

// output_at returns where the output of the last call is.
//
//go:wasmexport output_at
func outputAt() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(output.Bytes())) }

// write encodes bytes of the input. Returns the size of the output, or -1 after an error.
//
//go:wasmexport write
func write(size int32) int32 {
	if encoder == nil || size < 0 || int(size) > len(input) {
		return -1
	}
	output.Reset()
	if _, err := encoder.Write(input[:size]); err != nil {
		return -1
	}
	return int32(output.Len())
}

// finish ends the stream. Returns the size of the output, or -1 after an error.
//
//go:wasmexport finish
func finish() int32 {
	if encoder == nil {
		return -1
	}
	output.Reset()
	err := encoder.Close()
	encoder = nil
	if err != nil {
		return -1
	}
	return int32(output.Len())
}

// Encoders allocate little after their start, so that collecting garbage often costs little.
func init() { debug.SetGCPercent(20) }

func main() {}
