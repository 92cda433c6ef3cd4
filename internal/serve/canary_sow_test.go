package serve_test

import (
	"fmt"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// canaries are texts that stand nowhere else. Each tells where it was put.
type canaries struct {
	mu   sync.Mutex
	put  []string        // by number: a field of the contract by its full name, or what else it was put into
	sown map[string]bool // fields that have had one in a request that is in order

	secrets map[string]string // what holds canaries in a way that the search would not see, such as tokens: by what they are
}

func newCanaries() *canaries { return &canaries{sown: map[string]bool{}, secrets: map[string]string{}} }

// one is a new canary. It may stand wherever the contract allows a text of the
// caller's own, be it a tenant, an approver or a locale.
func (c *canaries) one(where string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put = append(c.put, where)
	name := strings.NewReplacer("_", "", " ", "").Replace(where[strings.LastIndexByte(where, '.')+1:])
	return fmt.Sprintf("canary-%d-%s", len(c.put)-1, name[:min(8, len(name))])
}

// bad is a new canary that no field with a form takes: it has a blank and a control
// character.
func (c *canaries) bad(where string) string { return c.one(where) + " \x01" }

// formed are the fields that take no text of the caller's own: what stands there
// is a name that the service has made, a word of a list, or a document.
var formed = map[protoreflect.Name]bool{
	"case_id": true, "offer_id": true, "page_token": true, "resume_token": true, "version": true, "yaml": true, "currency_code": true,
}

// into puts one into every text of a message that is in order but for the formed
// ones, whether it was empty or not, and into those of the messages in it.
func (c *canaries) into(m proto.Message) {
	each(m.ProtoReflect(), func(at protoreflect.Message, f protoreflect.FieldDescriptor) {
		if f.Kind() == protoreflect.StringKind && !f.IsList() && !formed[f.Name()] {
			at.Set(f, protoreflect.ValueOfString(c.one(string(f.FullName()))))
			c.sown[string(f.FullName())] = true
		}
	})
}

// intoAll puts one into the formed ones as well, wherever there is a text.
func (c *canaries) intoAll(m proto.Message) {
	c.into(m)
	each(m.ProtoReflect(), func(at protoreflect.Message, f protoreflect.FieldDescriptor) {
		if formed[f.Name()] && f.Name() != "currency_code" && at.Has(f) {
			at.Set(f, protoreflect.ValueOfString(c.one(string(f.FullName()))))
		}
	})
}

// each visits the fields of a message and of all messages that are in it.
func each(m protoreflect.Message, visit func(protoreflect.Message, protoreflect.FieldDescriptor)) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		visit(m, f)
		switch {
		case f.Message() == nil || f.IsMap() || !m.Has(f):
		case f.IsList():
			for n := range m.Get(f).List().Len() {
				each(m.Get(f).List().Get(n).Message(), visit)
			}
		default:
			each(m.Get(f).Message(), visit)
		}
	}
}

// everywhere fills in a message with bad ones: every text of it and of all messages
// that can be in it, one item of what is repeated. Of a oneof it takes the choice of
// that number, counted round.
func (c *canaries) everywhere(m protoreflect.Message, choice int) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() && o.Fields().Get(choice%o.Fields().Len()) != f {
			continue
		}
		switch text := f.Kind() == protoreflect.StringKind; {
		case f.IsMap():
			panic("a map: say how to fill it in") // the contract has none
		case f.Kind() == protoreflect.BytesKind:
			panic("bytes: say how to fill them in") // the contract has none
		case text && f.IsList():
			m.Mutable(f).List().Append(protoreflect.ValueOfString(c.bad(string(f.FullName()))))
		case text:
			m.Set(f, protoreflect.ValueOfString(c.bad(string(f.FullName()))))
		case f.Message() != nil && f.IsList():
			c.everywhere(m.Mutable(f).List().AppendMutable().Message(), choice)
		case f.Message() != nil:
			c.everywhere(m.Mutable(f).Message(), choice)
		}
	}
}

// texts are the fields of a message, and of all that can be in it, that hold texts.
func texts(m protoreflect.MessageDescriptor, found map[string]protoreflect.FieldDescriptor) {
	for i := range m.Fields().Len() {
		switch f := m.Fields().Get(i); {
		case f.Kind() == protoreflect.StringKind:
			found[string(f.FullName())] = f
		case f.Message() != nil:
			texts(f.Message(), found)
		}
	}
}
