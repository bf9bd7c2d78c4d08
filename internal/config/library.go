package config

import "coldkeep/internal/coldchain"

// ParseProfiles reads a file that has profiles alone, as the library's do, with
// warnings of what each does not allow.
func ParseProfiles(file string, data []byte) ([]coldchain.Profile, Errors, error) {
	src, top, ok := open(file, data)
	if !ok {
		return nil, nil, src.errs
	}
	p := &reader{src: src, cfg: &Config{File: file}, ids: map[string]value{}}
	list := top.fields("profiles")["profiles"]
	if !list.there() {
		top.bad("profiles are missing: list them under `profiles:`")
	}
	for _, x := range list.items() {
		p.profile(x)
	}
	if len(src.errs) > 0 {
		return nil, nil, src.errs.sorted()
	}
	return p.cfg.Profiles, p.warns.sorted(), nil
}
