module patch
go 1.21
require github.com/containers/tar-diff v0.1.2
require github.com/klauspost/compress v1.10.4
