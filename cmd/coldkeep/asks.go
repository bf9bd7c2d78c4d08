package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
)

// asks says whether a person sits there who can be asked: standard input is a
// terminal.
func (a *app) asks() bool {
	switch in := a.in.(type) {
	case interface{ Terminal() bool }:
		return in.Terminal()
	case *os.File:
		return isatty.IsTerminal(in.Fd())
	}
	return false
}

// question asks a person, and gives what was answered; "" where only Enter was
// pressed. An error where the terminal was closed.
func (a *app) question(text string) (string, error) {
	fmt.Fprint(a.errOut, text+" ")
	// Byte by byte: what follows the line belongs to the next question.
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := a.in.Read(b)
		if n == 1 && b[0] == '\n' {
			break
		}
		line = append(line, b[:n]...)
		if err != nil {
			fmt.Fprintln(a.errOut)
			return "", fmt.Errorf("nothing was recorded: the question was not answered (%w)", err)
		}
	}
	return strings.TrimSpace(string(line)), nil
}

// choice asks until one of the answers is given, or its beginning; "" where
// only Enter was pressed.
func (a *app) choice(text string, answers []string) (string, error) {
	for {
		said, err := a.question(text)
		if err != nil || said == "" {
			return "", err
		}
		var found []string
		for _, x := range answers {
			if strings.HasPrefix(x, strings.ToLower(said)) {
				found = append(found, x)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		fmt.Fprintf(a.errOut, "%q is none of %s.\n", said, strings.Join(answers, ", "))
	}
}
