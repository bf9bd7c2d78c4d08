package web

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"coldkeep/internal/coldchain"
)

// fileTime is how long sending one may take, over a poor connection.
const fileTime = 5 * time.Minute

// addFile takes a file into the record: the body as it is.
func (s *Server) addFile(w http.ResponseWriter, r *http.Request, trusted bool) {
	if !s.may(w, r, trusted) {
		return
	}
	// A recorder in a test has no deadlines; over a connection this is heeded.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(fileTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.o.Log.Error("a file is not awaited for longer", "cause", err)
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, coldchain.MaxFile))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		fail(w, http.StatusRequestEntityTooLarge, "bad_request", "the file is larger than 20 MB: it is not kept; send a smaller scan of it")
		return
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "bad_request", "the file was not received whole: send it again: "+err.Error())
		return
	}
	sha, err := s.m.AddFile(r.Context(), data)
	if s.refused(w, "file", err) {
		return
	}
	answer(w, map[string]any{"file": map[string]any{"sha256": sha, "bytes": len(data)}})
}

// file gives a file of the record, to be kept and never to be shown as a page
// of this site.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	sha := strings.ToLower(r.PathValue("sha"))
	data, err := s.m.File(r.Context(), sha)
	if s.refused(w, "file", err) {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+sha+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(data) // what goes wrong now is the client's connection
}

// refused answers an error as what it is, and says whether there was one.
func (s *Server) refused(w http.ResponseWriter, what string, err error) bool {
	var no *coldchain.Refusal
	switch {
	case err == nil:
		return false
	case errors.As(err, &no):
		fail(w, statuses[no.Code], no.Code, no.Message)
	default:
		s.o.Log.Error(what+" failed", "cause", err)
		fail(w, http.StatusInternalServerError, "internal", err.Error())
	}
	return true
}
