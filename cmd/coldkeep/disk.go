package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"coldkeep/internal/store"
)

// diskOf asks, whenever it is called, how many bytes the record in dir takes
// and how many are left to it. It answers false where the disk does not say.
func diskOf(dir string) func() (size, free uint64, known bool) {
	return func() (size, free uint64, known bool) {
		for _, name := range []string{store.FileName, store.FileName + "-wal"} {
			i, err := os.Stat(filepath.Join(dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue // the log of a record at rest
			}
			if err != nil {
				return 0, 0, false
			}
			size += uint64(i.Size())
		}
		var f unix.Statfs_t
		if err := unix.Statfs(dir, &f); err != nil {
			return 0, 0, false
		}
		// Bavail: what root keeps for itself is not the daemon's.
		return size, uint64(f.Bavail) * uint64(f.Bsize), true
	}
}
