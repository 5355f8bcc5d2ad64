// Command patch applies a tar-diff with the code of containers/tar-diff: patch DIFF FOLDER, to stdout.
package main

import (
	"log"
	"os"

	patch "github.com/containers/tar-diff/pkg/tar-patch"
)

func main() {
	diff, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	files := patch.NewFilesystemDataSource(os.Args[2])
	if err := patch.Apply(diff, files, os.Stdout); err != nil {
		log.Fatal(err)
	}
}
