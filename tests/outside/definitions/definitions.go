// The API server's own library as a judge of manifests: structural schemas, pruning, defaulting, CEL rules. An independent
// program for `./check outside` to compare the linter with; never part of the product.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

type object = map[string]interface{}

// definition is one version of a CustomResourceDefinition.
type definition struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// verdict is what the library says of an object: fields that it would drop, values that it refuses, rules that do not hold.
type verdict struct {
	unknown       []string
	values, rules field.ErrorList
}

func (v verdict) clean() bool { return len(v.unknown) == 0 && len(v.values) == 0 && len(v.rules) == 0 }

func (v verdict) String() string {
	for _, list := range []field.ErrorList{v.values, v.rules} {
		if len(list) > 0 {
			return strings.ReplaceAll(list[0].Error(), "\n", " ")
		}
	}
	if len(v.unknown) > 0 {
		return "unknown field " + v.unknown[0]
	}
	return "clean"
}

func kindOf(o object) string { return fmt.Sprintf("%v/%v", o["apiVersion"], o["kind"]) }

// yamlFiles calls `each` for every YAML file below the folders.
func yamlFiles(folders []string, each func(path string) error) error {
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			return each(path)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// documentsOf reads a file's documents. Numbers without a fraction are integers, as the API server has them.
func documentsOf(path string) ([]object, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []object
	for _, part := range strings.Split("\n"+string(text), "\n---") {
		raw, err := yaml.YAMLToJSON([]byte(part))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		var one object
		if err := json.Unmarshal(raw, &one); err != nil {
			continue // an empty document, or a list of helm values
		}
		if one != nil {
			out = append(out, one)
		}
	}
	return out, nil
}

// readDefinitions reads CRDs by "group/version/Kind"; a kind that several files define has several.
func readDefinitions(folder string) (map[string][]definition, error) {
	out := map[string][]definition{}
	err := yamlFiles([]string{folder}, func(path string) error {
		documents, err := documentsOf(path)
		if err != nil {
			return err
		}
		for _, document := range documents {
			if document["kind"] != "CustomResourceDefinition" {
				continue
			}
			var crd v1.CustomResourceDefinition
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(document, &crd); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			for _, version := range crd.Spec.Versions {
				if version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
					continue
				}
				one, err := definitionOf(version.Schema.OpenAPIV3Schema)
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				key := crd.Spec.Group + "/" + version.Name + "/" + crd.Spec.Names.Kind
				out[key] = append(out[key], one)
			}
		}
		return nil
	})
	return out, err
}

func definitionOf(given *v1.JSONSchemaProps) (definition, error) {
	var internal apiextensions.JSONSchemaProps
	if err := v1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(given, &internal, nil); err != nil {
		return definition{}, err
	}
	structural, err := schema.NewStructural(&internal)
	if err != nil {
		return definition{}, err
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		return definition{}, err
	}
	return definition{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// judge does what the API server does with a new object: drop, default, validate, then the rules.
func (d definition) judge(given object) verdict {
	one := runtime.DeepCopyJSON(given)
	var v verdict
	v.unknown = pruning.PruneWithOptions(one, d.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	defaulting.PruneNonNullableNullsWithoutDefaults(one, d.structural)
	defaulting.Default(one, d.structural)
	v.values = validation.ValidateCustomResource(nil, one, d.validator)
	v.values = append(v.values, listtype.ValidateListSetsAndMaps(nil, d.structural, one)...)
	// Rules are judged over objects whose values fit.
	if len(v.values) == 0 && d.rules != nil {
		v.rules, _ = d.rules.Validate(context.TODO(), nil, d.structural, one, nil, celconfig.RuntimeCELCostBudget)
	}
	return v
}
