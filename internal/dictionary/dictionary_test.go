package dictionary_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/makeamends/amends/internal/dictionary"
)

var sentences = []byte(strings.Repeat("We are sorry that your order came late. ", 3) +
	"You will hear from us within the hour. A refund of the order has been made. The courier was told.")

func TestShorten(t *testing.T) {
	d := dictionary.New(sentences)
	for name, c := range map[string]struct {
		text string
		most int // bytes of the short form
	}{
		"nothing":            {"", 2},
		"one byte":           {"x", 3},
		"all of it":          {string(sentences), 8},
		"in another order":   {"The courier was told. You will hear from us within the hour.", 12},
		"with a word anew":   {"You will hear from us within 2 hours. A refund of the order has been made.", 24},
		"something else":     {"0123456789abcdef", 18},
		"the same again":     {"ORDER 4711, ORDER 4711, ORDER 4711.", 24},
		"a run":              {strings.Repeat("0", 60), 64},
		"behind what is new": {"ORDER 4711: We are sorry that your order came late.", 24},
	} {
		t.Run(name, func(t *testing.T) {
			short := d.Shorten([]byte("kept"), []byte(c.text))
			if !bytes.HasPrefix(short, []byte("kept")) {
				t.Fatalf("what stood there is lost: %q", short)
			}
			if short = short[4:]; len(short) > c.most {
				t.Errorf("%d bytes: %q", len(short), short)
			}
			if text, err := d.Restore(short, len(c.text)); err != nil || string(text) != c.text {
				t.Errorf("restored %q, %v", text, err)
			}
			if len(c.text) > 0 {
				if _, err := d.Restore(short, len(c.text)-1); err == nil {
					t.Error("restored more than asked for")
				}
			}
		})
	}
}

// What is stored is told in proto/recovery/ledger/v1/record.proto: whoever follows
// that, as here, must come to the same text.
func TestFormat(t *testing.T) {
	d := dictionary.New(sentences)
	for _, text := range []string{"", "new", string(sentences), "ORDER 4711: We are sorry, ORDER 4711 came late. The courier was told. We are sorry that your order"} {
		short := d.Shorten(nil, []byte(text))
		next := func(number func([]byte) (int64, int)) int {
			v, n := number(short)
			short = short[n:]
			return int(v)
		}
		varint := func(b []byte) (int64, int) { v, n := binary.Uvarint(b); return int64(v), n }
		length := next(varint)
		var answer []byte
		for ahead := 0; ; {
			n := next(varint)
			answer, short = append(answer, short[:n]...), short[n:]
			if len(short) == 0 {
				break
			}
			known := next(varint)
			if known%2 == 1 {
				from := len(answer) - next(varint)
				answer = append(answer, answer[from:from+known/2]...)
				continue
			}
			from := len(answer) + ahead + next(binary.Varint)
			ahead = from - len(answer)
			answer = append(answer, sentences[from:from+known/2]...)
		}
		if len(answer) != length || string(answer) != text {
			t.Errorf("%d bytes, %q", length, answer)
		}
	}
}

func TestLengths(t *testing.T) {
	for length, ok := range map[int]bool{0: false, 7: false, 8: true, dictionary.Most: true, dictionary.Most + 1: false} {
		text := make([]byte, length)
		r := rand.NewChaCha8([32]byte{1})
		_, _ = r.Read(text)
		d := dictionary.New(text)
		if (d != nil) != ok {
			t.Errorf("%d bytes: %v", length, d != nil)
		}
		if d == nil {
			continue
		}
		short := d.Shorten(nil, text)
		if again, err := d.Restore(short, length); err != nil || !bytes.Equal(again, text) || len(short) > 16 {
			t.Errorf("%d bytes: %d bytes short, %v", length, len(short), err)
		}
	}
}

// FuzzRestore: whatever is restored was worth its length, and nothing makes it panic
// or take more room than allowed.
func FuzzRestore(f *testing.F) {
	d := dictionary.New(sentences)
	f.Add([]byte{}, []byte("We are sorry"))
	f.Add(d.Shorten(nil, sentences), sentences)
	f.Add([]byte{200, 1, 0, 100, 0}, []byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, short, text []byte) {
		const most = 1 << 10
		if restored, err := d.Restore(short, most); err == nil && len(restored) > most {
			t.Errorf("%d bytes", len(restored))
		}
		if again, err := d.Restore(d.Shorten(nil, text), len(text)); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q becomes %q: %v", text, again, err)
		}
	})
}
