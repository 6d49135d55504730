package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

const mutants = 4000 // the linter reads at most 5000 files at once

// Where the linter may differ, and why that is right.
func excused(kind, what string, library verdict, rules map[string]bool) string {
	switch {
	case kind == "monitoring.googleapis.com/v1/PodMonitoring" && strings.HasSuffix(what, ".interval"):
		return "the library takes garbage after a duration, and lists for one"
	case len(library.rules) > 0 && strings.HasPrefix(kind, "networking.gke.io/"):
		return "L57 judges health checks, once per pool"
	case rules["L02"] && len(library.unknown) > 0 && !rules["L01"]:
		return "an unknown field inside a value of the wrong kind"
	}
	return ""
}

// lint returns the rules that found something, by file name.
func lint(gatebench, folder, crds string) (map[string]map[string]bool, error) {
	command := exec.Command(gatebench, "deploy", "lint", folder, "--crds", crds, "--output", "json")
	out, err := command.Output()
	if len(out) == 0 {
		return nil, fmt.Errorf("gatebench deploy lint: %v", err)
	}
	var report struct {
		Findings []struct{ File, Rule string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, err
	}
	found := map[string]map[string]bool{}
	for _, f := range report.Findings {
		name := filepath.Base(f.File)
		if found[name] == nil {
			found[name] = map[string]bool{}
		}
		found[name][f.Rule] = true
	}
	return found, nil
}

// disagreement says where the linter's verdict is another than the library's; empty: nowhere.
func disagreement(library verdict, rules map[string]bool) string {
	refused := rules["L02"] || rules["L05"]
	switch {
	case len(library.values) > 0 && !refused:
		return "the library refuses a value, the linter does not"
	case len(library.values) == 0 && len(library.rules) == 0 && refused:
		return "the linter refuses a value, the library does not"
	case (len(library.unknown) > 0) != rules["L01"]:
		return "unknown fields are judged differently"
	case len(library.rules) > 0 && !rules["L03"] && !refused:
		return "a rule does not hold, and the linter is silent"
	}
	return ""
}

// judgeBundles judges every object that has a definition; returns those with exactly one, and how many were refused.
func judgeBundles(known map[string][]definition, bundles []string) (objects []object, refused int, err error) {
	err = yamlFiles(bundles, func(path string) error {
		documents, err := documentsOf(path)
		for _, one := range documents {
			for _, definition := range known[kindOf(one)] {
				if v := definition.judge(one); !v.clean() {
					refused++
					fmt.Printf("%s: %s: %s\n", path, kindOf(one), v)
				}
			}
			if len(known[kindOf(one)]) == 1 {
				objects = append(objects, one)
			}
		}
		return err
	})
	fmt.Printf("%d objects of rendered bundles, %d kinds' definitions: %d refused\n", len(objects), len(known), refused)
	if err == nil && len(objects) == 0 {
		err = fmt.Errorf("no object of a bundle has a definition")
	}
	return objects, refused, err
}

// mutant is a changed object and what the library says of it.
type mutant struct {
	kind, what string
	library    verdict
}

// writeMutants changes objects at random, the same way each time, and writes them into a folder.
func writeMutants(known map[string][]definition, objects []object, folder string) ([]mutant, error) {
	random := rand.New(rand.NewSource(1))
	out := make([]mutant, mutants)
	for i := range out {
		one := runtime.DeepCopyJSON(objects[random.Intn(len(objects))])
		out[i].kind, out[i].what = kindOf(one), mutate(one, random)
		out[i].library = known[out[i].kind][0].judge(one)
		text, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%05d.json", i)), text, 0o644); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func run(gatebench, crds, work string, bundles []string) (failed int, err error) {
	known, err := readDefinitions(crds)
	if err != nil {
		return 0, err
	}
	objects, failed, err := judgeBundles(known, bundles)
	if err != nil {
		return failed, err
	}
	all, err := writeMutants(known, objects, work)
	if err != nil {
		return failed, err
	}
	found, err := lint(gatebench, work, crds)
	if err != nil {
		return failed, err
	}
	differ, excuses, refused := 0, 0, 0
	for i, m := range all {
		rules := found[fmt.Sprintf("%05d.json", i)]
		if !m.library.clean() {
			refused++
		}
		if why := disagreement(m.library, rules); why == "" {
			continue
		} else if excused(m.kind, m.what, m.library, rules) != "" {
			excuses++
		} else {
			differ++
			fmt.Printf("%s: %s: %s: %s; rules %v\n", m.kind, m.what, why, m.library, rules)
		}
	}
	fmt.Printf("%d mutated objects, %d of them refused by the library: the linter differs in %d, and in %d for a known reason\n", mutants, refused, differ, excuses)
	return failed + differ, nil
}

// Usage: definitions GATEBENCH CRDS WORK BUNDLES…
func main() {
	failed, err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:])
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	if failed > 0 {
		os.Exit(1)
	}
}
