package main

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

const (
	blockBytes = 1 << 20
	tailBytes  = 16 * 1024
)

// deflater is what the versions of klauspost's flate.Writer have in common.
type deflater interface {
	io.WriteCloser
	Flush() error
	ResetDict(w io.Writer, dict []byte)
}

// blockWriter writes the gzip of parallel compressors: blocks of 1 MiB, each flushed, and compressed with the end of the block before it
// as its dictionary. Compressing one block after the other gives the same bytes.
type blockWriter struct {
	output    io.Writer
	deflater  deflater
	level     int
	block     []byte
	tail      []byte
	crc       uint32
	size      uint32
	hasHeader bool
}

func newBlockWriter(output io.Writer, deflater deflater, level int) *blockWriter {
	return &blockWriter{output: output, deflater: deflater, level: level, block: make([]byte, 0, blockBytes)}
}

func (w *blockWriter) Write(bytes []byte) (int, error) {
	w.crc = crc32.Update(w.crc, crc32.IEEETable, bytes)
	w.size += uint32(len(bytes))
	for rest := bytes; len(rest) > 0; {
		count := min(len(rest), blockBytes-len(w.block))
		w.block = append(w.block, rest[:count]...)
		rest = rest[count:]
		if len(w.block) == blockBytes {
			if err := w.endBlock(); err != nil {
				return 0, err
			}
		}
	}
	return len(bytes), nil
}

func (w *blockWriter) Close() error {
	if err := w.endBlock(); err != nil {
		return err
	}
	if err := w.deflater.Close(); err != nil {
		return err
	}
	trailer := binary.LittleEndian.AppendUint32(nil, w.crc)
	_, err := w.output.Write(binary.LittleEndian.AppendUint32(trailer, w.size))
	return err
}

func (w *blockWriter) endBlock() error {
	if err := w.writeHeader(); err != nil {
		return err
	}
	w.deflater.ResetDict(w.output, w.tail)
	if _, err := w.deflater.Write(w.block); err != nil {
		return err
	}
	w.tail = nil
	if len(w.block) > tailBytes {
		w.tail = append(w.tail, w.block[len(w.block)-tailBytes:]...)
	}
	w.block = w.block[:0]
	return w.deflater.Flush()
}

// writeHeader writes the header of RFC 1952, with the lower half of Go's zero time, which parallel compressors write.
func (w *blockWriter) writeHeader() error {
	if w.hasHeader {
		return nil
	}
	w.hasHeader = true
	flags := map[int]byte{1: 4, 9: 2}[w.level]
	_, err := w.output.Write([]byte{0x1f, 0x8b, 8, 0, 0x00, 0x09, 0x6e, 0x88, flags, 255})
	return err
}
