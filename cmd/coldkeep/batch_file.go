package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"coldkeep/internal/coldchain"
	"coldkeep/internal/store"
)

type batchFile struct {
	ID  string `arg:"" name:"sha-or-batch" help:"The SHA-256 of a paper, or the batch whose one paper is meant."`
	Out string `short:"o" placeholder:"FILE" help:"Write it there; - is standard output. Default: its own name, in this directory. A file that is there is not overwritten."`
	where
}

// Run gets a paper back from the record, held against its SHA-256.
func (c *batchFile) Run(a *app) error {
	dir, err := c.dir(a)
	if err != nil {
		return err
	}
	list, err := batches(a, dir)
	if err != nil {
		return err
	}
	sha, name, err := paperMeant(list, c.ID)
	if err != nil {
		return err
	}
	data, err := fileOf(a, dir, sha)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != sha {
		return fmt.Errorf("read paper %s: what came is another file, with the SHA-256 %x: it is not written", sha, sum)
	}
	if c.Out == "-" {
		_, err := a.out.Write(data)
		return err
	}
	path := cmp.Or(c.Out, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and is not overwritten: give another name with -o", path)
	}
	if err != nil {
		return fmt.Errorf("write paper: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write paper: %w", err)
	}
	fmt.Fprintf(a.errOut, "%s: %d bytes, as its SHA-256 says\n", path, len(data))
	return nil
}

// paperMeant finds the paper of a SHA-256, with the name it has, or the one
// that a batch has.
func paperMeant(list []batchLine, id string) (sha, name string, err error) {
	if raw, err := hex.DecodeString(id); err == nil && len(raw) == sha256.Size {
		sha = strings.ToLower(id)
		for _, b := range list {
			for _, p := range b.Papers {
				if p.SHA256 == sha {
					return sha, p.Name, nil
				}
			}
		}
		return sha, sha, nil // a file of the record that no batch has: a logger's, say
	}
	for _, b := range list {
		if !strings.EqualFold(b.ID, id) {
			continue
		}
		switch len(b.Papers) {
		case 0:
			return "", "", fmt.Errorf("batch %s has no papers", b.ID)
		case 1:
			return b.Papers[0].SHA256, b.Papers[0].Name, nil
		}
		text := fmt.Sprintf("batch %s has %d papers; which is meant?", b.ID, len(b.Papers))
		for _, p := range b.Papers {
			text += fmt.Sprintf("\n  %s  %s: %s", p.SHA256, p.Kind.Text(), p.Name)
		}
		return "", "", errors.New(text)
	}
	return "", "", fmt.Errorf("%q is neither the SHA-256 of a paper, 64 hex digits, nor a batch that is known here", id)
}

// fileOf asks the daemon for a file, or reads it from the record of one that
// does not run.
func fileOf(a *app, dir, sha string) ([]byte, error) {
	var data []byte
	err := askDaemon(a.ctx, dir, http.MethodGet, "/api/v1/files/"+sha, nil, &data)
	if !errors.Is(err, errNotRunning) {
		return data, err
	}
	st, err := store.OpenReadOnly(a.ctx, dir)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	data, err = st.File(a.ctx, sha)
	if errors.Is(err, coldchain.ErrNoFile) {
		return nil, fmt.Errorf("the record in %s has no file %s", dir, sha)
	}
	return data, err
}
