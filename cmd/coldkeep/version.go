package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the build of a release.
var version = ""

type versionCommand struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

type versionInfo struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	GoVersion string `json:"goversion"`
}

func thisVersion() versionInfo {
	v := versionInfo{Version: version, Revision: "unknown", GoVersion: runtime.Version()}
	if b, ok := debug.ReadBuildInfo(); ok {
		if v.Version == "" {
			v.Version = b.Main.Version
		}
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "devel"
	}
	return v
}

func (c *versionCommand) Run(a *app) error {
	v := thisVersion()
	if c.JSON {
		return json.NewEncoder(a.out).Encode(v)
	}
	_, err := fmt.Fprintf(a.out, "coldkeep %s (revision %s, %s)\n", v.Version, v.Revision, v.GoVersion)
	return err
}
