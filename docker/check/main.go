// Checks what is in docker/ as far as that can be done without a container engine or a cluster.
// usage: go run . FOLDER      the folder docker
package main

import (
	"fmt"
	"os"
)

// faults is how many there were; the program goes on to the end and tells all of them.
var faults int

func fault(where, format string, args ...any) {
	faults++
	fmt.Printf("%s: %s\n", where, fmt.Sprintf(format, args...))
}

func main() {
	for _, check := range []func(docker string) string{compose, kubernetes, dashboards} {
		before := faults
		if name := check(os.Args[1]); faults == before {
			fmt.Println(name + ": ok")
		}
	}
	if faults > 0 {
		fmt.Println(faults, "faults")
		os.Exit(1)
	}
}
