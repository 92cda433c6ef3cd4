package check

import (
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const manifests = "deploy/kubernetes"

// object is any kind that the manifests have.
type object interface{ GetName() string }

// kinds makes an empty object of each kind that the manifests may have.
var kinds = map[string]func() object{
	"v1 Namespace":                                  func() object { return new(corev1.Namespace) },
	"v1 ServiceAccount":                             func() object { return new(corev1.ServiceAccount) },
	"v1 Service":                                    func() object { return new(corev1.Service) },
	"v1 ConfigMap":                                  func() object { return new(corev1.ConfigMap) },
	"apps/v1 Deployment":                            func() object { return new(appsv1.Deployment) },
	"autoscaling/v2 HorizontalPodAutoscaler":        func() object { return new(autoscalingv2.HorizontalPodAutoscaler) },
	"policy/v1 PodDisruptionBudget":                 func() object { return new(policyv1.PodDisruptionBudget) },
	"networking.k8s.io/v1 NetworkPolicy":            func() object { return new(networkingv1.NetworkPolicy) },
	"kustomize.config.k8s.io/v1beta1 Kustomization": nil, // strict in kustomize itself
}

// decode reads one manifest and refuses what its kind does not have.
func decode(t *testing.T, where string, manifest []byte) object {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict(manifest)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	var kind metav1.TypeMeta
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &kind); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	empty, ok := kinds[kind.APIVersion+" "+kind.Kind]
	if !ok {
		t.Fatalf("%s: no kind %q in %q is known here", where, kind.Kind, kind.APIVersion)
	}
	if empty == nil {
		return nil
	}
	o := empty()
	faults, err := json.UnmarshalStrict(text, o)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	for _, fault := range faults {
		t.Errorf("%s: %v", where, fault)
	}
	return o
}

// TestManifests: every file is of a kind, and has what that kind may have.
func TestManifests(t *testing.T) {
	files := yamls(t, manifests)
	if len(files) < 10 {
		t.Fatalf("only %v are found", files)
	}
	for _, path := range files {
		if content := read(t, path); strings.Contains(string(content), "\nkind:") { // a list of patches or a policy has none
			decode(t, path, content)
		}
	}
}

// installation is what `kubectl apply -k` sends.
type installation struct {
	t          *testing.T
	objects    []object
	deployment *appsv1.Deployment
	service    *corev1.Service
	scaler     *autoscalingv2.HorizontalPodAutoscaler
	budget     *policyv1.PodDisruptionBudget
	network    *networkingv1.NetworkPolicy
	account    *corev1.ServiceAccount
}

func build(t *testing.T, folder string) *installation {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(repository, manifests, folder))
	if err != nil {
		t.Fatal(err)
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		t.Fatal(err)
	}
	i := &installation{t: t}
	for _, r := range made.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		o := decode(t, folder+" "+r.CurId().String(), text)
		i.objects = append(i.objects, o)
		switch o := o.(type) {
		case *appsv1.Deployment:
			i.deployment = o
		case *corev1.Service:
			i.service = o
		case *autoscalingv2.HorizontalPodAutoscaler:
			i.scaler = o
		case *policyv1.PodDisruptionBudget:
			i.budget = o
		case *networkingv1.NetworkPolicy:
			i.network = o
		case *corev1.ServiceAccount:
			i.account = o
		}
	}
	if i.deployment == nil || i.service == nil || i.scaler == nil || i.budget == nil || i.network == nil || i.account == nil {
		t.Fatalf("%s lacks one of the kinds: %v", folder, i.objects)
	}
	return i
}
