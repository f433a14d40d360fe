// Tells what kubectl reads from files: one line of JSON for each name on
// standard input, with the objects that its resource builder hands to a
// command, and its error.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
)

type answer struct {
	Objects []any  `json:"objects"`
	Error   string `json:"error,omitempty"`
}

func main() {
	output := bufio.NewWriter(os.Stdout)
	names := bufio.NewScanner(os.Stdin)
	for names.Scan() {
		line, err := json.Marshal(read(names.Text()))
		if err == nil {
			_, err = output.Write(append(line, '\n'))
		}
		fail(err)
	}
	fail(names.Err())
	fail(output.Flush())
}

// read does what `kubectl create -f` does before it talks to a server.
func read(name string) answer {
	infos, err := resource.NewLocalBuilder().Unstructured().ContinueOnError().
		FilenameParam(false, &resource.FilenameOptions{Filenames: []string{name}}).
		Flatten().Do().Infos()
	answer := answer{Objects: []any{}}
	for _, info := range infos {
		answer.Objects = append(answer.Objects, info.Object.(*unstructured.Unstructured).Object)
	}
	if err != nil {
		answer.Error = err.Error()
	}
	return answer
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
