package coldchain

import "errors"

// MaxFile is how large a file of the record may be: a paper of a batch, a
// logger's read-out.
const MaxFile = 20 << 20

// ErrNoFile says that the record has no such file.
var ErrNoFile = errors.New("the record has no such file")

// ErrFileSize says that a file is empty, or larger than MaxFile.
var ErrFileSize = errors.New("a file of the record has at least one byte and at most 20 MB")
