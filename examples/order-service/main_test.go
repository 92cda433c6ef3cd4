package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/serve"
)

// The example works with a real server, also when it is called again.
func TestOrderService(t *testing.T) {
	server, err := serve.Start(t.Context(), serve.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	amends, err := client.New(client.Config{Target: server.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer amends.Close()
	now := time.Now()
	for _, row := range []struct {
		at   time.Time
		want string
	}{{now, "answer within"}, {now, "answer within"}, {now.Add(time.Second), "look at it: amends cases --customer customer-of-order-17\n"}} {
		var out strings.Builder
		if err := orderWasLate(t.Context(), amends, "order-17", row.at, &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), row.want) {
			t.Errorf("it says %q, want %q", out.String(), row.want)
		}
		t.Log(out.String())
	}
}
