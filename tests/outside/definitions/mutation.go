package main

import (
	"fmt"
	"math/rand"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// place is a value inside an object: a member of a map or an item of a list.
type place struct {
	parent interface{}
	key    string
	index  int
	path   string
}

func (p place) get() interface{} {
	if m, ok := p.parent.(object); ok {
		return m[p.key]
	}
	return p.parent.([]interface{})[p.index]
}

func (p place) set(value interface{}) {
	if m, ok := p.parent.(object); ok {
		m[p.key] = value
		return
	}
	p.parent.([]interface{})[p.index] = value
}

// placesOf lists the places below a node, in an order that does not change.
func placesOf(node interface{}, path string, out []place) []place {
	switch n := node.(type) {
	case object:
		var keys []string
		for key := range n {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			// These are not the definition's business.
			if path == "" && (key == "apiVersion" || key == "kind" || key == "metadata" || key == "status") {
				continue
			}
			out = append(out, place{n, key, -1, path + "." + key})
			out = placesOf(n[key], path+"."+key, out)
		}
	case []interface{}:
		for i := range n {
			at := fmt.Sprintf("%s[%d]", path, i)
			out = append(out, place{n, "", i, at})
			out = placesOf(n[i], at, out)
		}
	}
	return out
}

// mutate changes one value of an object and says what it did.
func mutate(one object, random *rand.Rand) string {
	all := placesOf(one, "", nil)
	p := all[random.Intn(len(all))]
	text, isText := p.get().(string)
	list, isList := p.get().([]interface{})
	m, inMap := p.parent.(object)
	switch what := random.Intn(9); {
	case what == 0 && inMap:
		delete(m, p.key)
		return "without " + p.path
	case what == 0:
		p.set(nil)
		return "null in " + p.path
	case what == 1 && inMap:
		m["bogusField"] = "x"
		return "an unknown field beside " + p.path
	case what == 2:
		p.set("text")
		return "text in " + p.path
	case what == 3:
		p.set(int64(-1))
		return "-1 in " + p.path
	case what == 4:
		p.set(int64(99999999))
		return "a large number in " + p.path
	case what == 5:
		p.set([]interface{}{})
		return "an empty list in " + p.path
	case what == 6:
		p.set(object{})
		return "an empty map in " + p.path
	case what == 7 && isList && len(list) > 0:
		p.set(append(append([]interface{}{}, list...), runtime.DeepCopyJSONValue(list[0])))
		return "the first item twice in " + p.path
	case what == 7:
		p.set("")
		return "empty text in " + p.path
	case isText:
		p.set(strings.Repeat(text+"-A_", 100))
		return "long text in " + p.path
	default:
		p.set(true)
		return "true in " + p.path
	}
}
