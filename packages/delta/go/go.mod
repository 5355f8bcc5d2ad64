module mote/encoders

go 1.26

require (
	github.com/klauspost/compress v1.20.0
	klauspost/v1.17/compress v1.17.11
)

replace klauspost/v1.17/compress => github.com/klauspost/compress v1.17.11
