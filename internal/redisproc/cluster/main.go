// Command cluster runs a Redis Cluster on this machine until it is told to end,
// and then nothing is left of it. It is what `make cluster` runs.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/makeamends/amends/internal/redisproc"
)

func main() {
	masters := flag.Int("masters", 3, "`number` of masters")
	replicas := flag.Int("replicas", 1, "`number` of replicas of each master")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *masters, *replicas); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, masters, replicas int) error {
	dir, err := os.MkdirTemp("", "amends-cluster-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := redisproc.StartCluster(ctx, redisproc.ClusterConfig{Dir: dir, Masters: masters, Replicas: replicas})
	if err != nil {
		return err
	}
	defer c.Stop()
	key := filepath.Join(dir, "amends.key")
	if err := os.WriteFile(key, []byte(rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	show(c, key, replicas)
	<-ctx.Done()
	fmt.Println("\nThe cluster ends, with all that it keeps.")
	return nil
}

func show(c *redisproc.Cluster, key string, replicas int) {
	for n, master := range c.Masters() {
		fmt.Printf("master %s (process %d)", master.Addr(), master.PID())
		for _, replica := range c.Replicas(n) {
			fmt.Printf(", replica %s (process %d)", replica.Addr(), replica.PID())
		}
		fmt.Println()
	}
	fmt.Printf("\nIn another terminal, with its passwords in the environment:\n\n"+
		"  export AMENDS_REDIS='%s'\n  amends serve --key-file %s --redis-wait=%d\n\n"+
		"As somebody who may do everything: redis-cli -c -u %s\n\n"+
		"Ctrl-C ends the cluster and forgets what it keeps.\n", c.URL(), key, min(1, replicas), c.Masters()[0].AdminURL())
}
