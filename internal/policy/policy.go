package policy

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"sync"

	"github.com/makeamends/amends/internal/document"
	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

// Compiled is a policy that was checked and can decide. It never changes.
type Compiled struct {
	Version string           // hash of the content, such as p-0123456789abcdef
	YAML    []byte           // the text that the version is the hash of; not to be changed
	Message *policyv1.Policy // the file as read; not to be changed
	Rules   *recovery.Policy // what the decision uses
}

//go:embed default.yaml
var defaultYAML []byte

// DefaultYAML is the text of the default policy, to begin one's own with.
func DefaultYAML() []byte { return append([]byte(nil), defaultYAML...) }

var defaultPolicy = sync.OnceValue(func() *Compiled {
	compiled, findings := Parse("default.yaml", defaultYAML)
	if compiled == nil {
		panic(fmt.Sprintf("the embedded policy is broken, which its test rules out:\n%v", findings))
	}
	return compiled
})

// Default is the policy that is built in.
func Default() *Compiled { return defaultPolicy() }

// Parse reads and checks a policy. It reports every fault at once, in the order
// of the lines; only without any is there a policy. The name stands for the
// file in the findings.
func Parse(name string, yaml []byte) (*Compiled, Findings) { return parse(name, yaml, false) }

// parse reads a policy. One that is kept for its open cases may have been taken
// over before we looked whether it makes sense: it goes on judging them.
func parse(name string, yaml []byte, kept bool) (*Compiled, Findings) {
	message := &policyv1.Policy{}
	c := compiler{source: document.Read(name, yaml, message), message: message, rules: &recovery.Policy{}, kept: kept}
	if c.Root != nil && !c.Full() {
		c.compile()
	}
	if len(c.Findings) > 0 {
		return nil, c.Findings.Sorted()
	}
	c.rules.Version = versionOf(c.Text)
	return &Compiled{Version: c.rules.Version, YAML: []byte(c.Text), Message: message, Rules: c.rules}, nil
}

// versionOf is the version of a policy with this text.
func versionOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "p-" + hex.EncodeToString(sum[:8])
}

var versions = regexp.MustCompile(`^p-[0-9a-f]{16}$`)

// IsVersion reports whether a text can be the version of a policy.
func IsVersion(text string) bool { return versions.MatchString(text) }
