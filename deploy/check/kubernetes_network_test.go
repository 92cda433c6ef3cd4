package check

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

func selectorsSelect(t *testing.T, i *installation) {
	labels := i.deployment.Spec.Template.Labels
	matches := func(what string, selector map[string]string) {
		if len(selector) == 0 {
			t.Errorf("%s selects everything", what)
		}
		for k, v := range selector {
			if labels[k] != v {
				t.Errorf("%s selects %s=%s, which the pods do not have", what, k, v)
			}
		}
	}
	matches("the Deployment", i.deployment.Spec.Selector.MatchLabels)
	matches("the Service", i.service.Spec.Selector)
	matches("the budget", i.budget.Spec.Selector.MatchLabels)
	matches("the network policy", i.network.Spec.PodSelector.MatchLabels)
	for _, c := range i.deployment.Spec.Template.Spec.TopologySpreadConstraints {
		matches("the spread over "+c.TopologyKey, c.LabelSelector.MatchLabels)
	}
	if len(i.deployment.Spec.Template.Spec.TopologySpreadConstraints) != 2 {
		t.Error("not spread over zones and machines")
	}
	if i.service.Spec.ClusterIP != corev1.ClusterIPNone {
		t.Error("the Service is not headless, so a client would find one replica")
	}
	for _, p := range i.service.Spec.Ports {
		if !slices.ContainsFunc(i.container(t).Ports, func(c corev1.ContainerPort) bool {
			return c.Name == p.TargetPort.StrVal && c.ContainerPort == p.Port
		}) {
			t.Errorf("the Service's port %s leads nowhere", p.Name)
		}
	}
}

// replicas: the autoscaler says how many, and the budget lets a node be emptied.
func replicas(t *testing.T, i *installation) {
	s := i.scaler.Spec
	if s.ScaleTargetRef.Kind != "Deployment" || s.ScaleTargetRef.APIVersion != "apps/v1" || s.ScaleTargetRef.Name != i.deployment.Name {
		t.Errorf("the autoscaler scales %+v", s.ScaleTargetRef)
	}
	if i.deployment.Spec.Replicas != nil {
		t.Error("the Deployment says how many replicas there are, which is the autoscaler's to say")
	}
	if s.MinReplicas == nil || *s.MinReplicas < 3 || s.MaxReplicas <= *s.MinReplicas {
		t.Errorf("from %v to %d replicas", s.MinReplicas, s.MaxReplicas)
	}
	if len(s.Metrics) != 1 || s.Metrics[0].Resource == nil || s.Metrics[0].Resource.Name != corev1.ResourceCPU {
		t.Error("not scaled by what the processor does")
	} else if requests := i.container(t).Resources.Requests; requests.Cpu().IsZero() {
		t.Error("scaled by a share of a request for the processor that nobody makes")
	}
	b := i.budget.Spec
	if b.MinAvailable != nil || b.MaxUnavailable == nil || b.MaxUnavailable.IntValue() != 1 {
		t.Errorf("the budget is %+v; one at a time may go", b)
	}
}

func networkPolicy(t *testing.T, i *installation) {
	spec := i.network.Spec
	if !slices.Equal(spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}) {
		t.Errorf("it rules %v", spec.PolicyTypes)
	}
	in := map[string]bool{}
	for _, r := range spec.Ingress {
		if len(r.From) == 0 || len(r.Ports) != 1 {
			t.Fatalf("an ingress for everybody, or to every port: %+v", r)
		}
		for _, peer := range r.From {
			if peer.NamespaceSelector == nil || len(peer.NamespaceSelector.MatchLabels) == 0 {
				t.Errorf("%s: from everywhere", r.Ports[0].Port)
			}
			if r.Ports[0].Port.StrVal == "grpc" && (peer.PodSelector == nil || len(peer.PodSelector.MatchLabels) == 0) {
				t.Error("every pod of a namespace may call")
			}
		}
		in[r.Ports[0].Port.StrVal] = true
	}
	if !in["grpc"] || !in["ops"] || len(in) != 2 {
		t.Errorf("ingress to %v", in)
	}
	out := map[int32]bool{}
	for _, r := range spec.Egress {
		if len(r.To) == 0 || len(r.Ports) == 0 {
			t.Fatalf("an egress to everybody, or to every port: %+v", r)
		}
		for _, p := range r.Ports {
			out[p.Port.IntVal] = true
		}
	}
	for _, port := range []int32{53, 6379, 4317} {
		if !out[port] {
			t.Errorf("no egress to port %d", port)
		}
	}
}
