// Package profiles holds the library of storage conditions that comes with
// coldkeep: examples of form and of source, to be held against a label before
// anything is received under them.
package profiles

import "embed"

// Files are the library's files, in the form of the operator's `profiles:`.
//
//go:embed *.yaml
var Files embed.FS
