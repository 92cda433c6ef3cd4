package ledger

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/deploy"
	"github.com/makeamends/amends/internal/redistest"
)

// refuses opens a ledger that must be refused with a text that holds want.
func refuses(t *testing.T, opts Options, want ...string) {
	t.Helper()
	if opts.Secret == nil {
		opts.Secret = secret
	}
	l, err := Open(t.Context(), opts)
	if err == nil {
		l.Close()
		t.Fatalf("opened, want a refusal: %s", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("refused with\n%v\nwant\n%s", err, w)
		}
	}
}

func TestStartIsRefusedWithAdvice(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	at := server.Addr()
	good := openAt(t, server.URL())

	refuses(t, Options{URL: server.URL(), Secret: []byte("another secret of a good length")},
		"this ledger was born with another secret (fingerprint ", "give the key file that it was born with, or an empty Redis")
	refuses(t, Options{URL: server.URL(), Buckets: 128},
		"this ledger was born with 256 buckets, not 128; set the number of buckets to 256")
	refuses(t, Options{URL: server.URL(), Production: true},
		"the Redis at "+at+" loses changes when it restarts (appendonly no); run there: redis-cli CONFIG SET appendonly yes, and set it in redis.conf")

	set := func(name, value string) {
		t.Helper()
		if err := server.Client().ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("maxmemory-policy", "allkeys-lru")
	advice := "the Redis at " + at + " would delete customers when its memory is full (maxmemory-policy allkeys-lru); " +
		"run there: redis-cli CONFIG SET maxmemory-policy noeviction, and set it in redis.conf"
	refuses(t, Options{URL: server.URL()}, advice)
	refuses(t, Options{URL: server.URL(), Production: true, Buckets: 7}, advice, "loses changes when it restarts", "born with 256 buckets")
	if err := good.Ready(t.Context()); err == nil || err.Error() != advice {
		t.Errorf("while serving: %v", err)
	}
	set("maxmemory-policy", "noeviction")
	if err := good.Ready(t.Context()); err != nil {
		t.Errorf("after the advice was followed: %v", err)
	}
	set("appendonly", "yes")
	set("appendfsync", "no")
	refuses(t, Options{URL: server.URL(), Production: true}, "when its machine fails (appendfsync no); run there: redis-cli CONFIG SET appendfsync everysec")
	set("appendfsync", "everysec")
	openAt(t, server.URL(), func(o *Options) { o.Production = true })

	server.Kill()
	refuses(t, Options{URL: server.URL()}, "the Redis at "+at+" does not answer", "connection refused", "is it running, and is the address right?")
}

func TestOptionsAreRefused(t *testing.T) {
	refuses(t, Options{URL: "embedded", Secret: []byte("short")}, "shorter than 16 bytes; make one with: head -c 32 /dev/urandom | base64")
	refuses(t, Options{URL: "embedded", Production: true}, "the embedded store keeps nothing and is no store for production")
	refuses(t, Options{URL: "embedded", Wait: 1}, "no replicas to wait for")
	refuses(t, Options{URL: "embedded", Wait: -1}, "must not be negative")
	refuses(t, Options{URL: "embedded", Buckets: -1}, "1 to 65536")
	refuses(t, Options{URL: "nonsense"}, `the address of Redis is "embedded" or starts with`)
}

func TestOldServersAreRefused(t *testing.T) {
	faults := parseInfo("# Server\r\nredis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\n").check(node{addr: "h:1"}, false)
	want := "the Redis at h:1 is version 6.2.14; install 7.0 or newer, which refuses a script as a whole when its memory is full"
	if len(faults) != 1 || faults[0].Error() != want {
		t.Errorf("faults: %v", faults)
	}
	if faults := parseInfo("redis_version:8.2.1\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n").check(node{}, true); len(faults) > 0 {
		t.Errorf("a good server: %v", faults)
	}
}

func TestThePermissionsAreComplete(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithRefusals())
	cli := func(args ...string) {
		t.Helper()
		anys := make([]any, len(args))
		for i, a := range args {
			anys[i] = a
		}
		if err := server.Client().Do(t.Context(), anys...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	cli("ACL", "SETUSER", "amends", "-hincrby", "-unlink", "-wait", "-xadd", "-xdel", "-zrem", "-zremrangebyrank", "-zremrangebyscore")
	url := server.URL()
	advice := "ACL SETUSER amends '~{b[0-9][0-9][0-9]}:*' '~{budget}:*' '~amends:meta' '~amends:policies' '~amends:words' +hincrby +unlink +wait +xadd +xdel +zrem +zremrangebyrank +zremrangebyscore"
	refuses(t, Options{URL: url}, "does not let the user \"amends\" do what the ledger does; run: redis-cli "+advice, "redis-cli ACL SAVE, or in users.acl")
	cli(strings.Fields(strings.ReplaceAll(advice, "'", ""))...)
	l := openAt(t, url)
	mustUpdate(t, l, one(l, "allowed", "a"), opens)
	mustUpdate(t, l, one(l, "allowed", "b"), closes)
	mustErase(t, l, l.Key("shop", "allowed"), time.Hour)
	b := Booking{Tenant: "shop", Currency: "USD", Day: time.Now(), CaseID: "c", Name: "n"}
	if _, err := l.Book(t.Context(), b, "", 1, 1, time.Now().Add(time.Hour)); err != nil {
		t.Error(err, Cause(err))
	}

	keys := strings.Fields(strings.ReplaceAll(itsKeys, "'", ""))
	for i, missing := range keys {
		cli(append([]string{"ACL", "SETUSER", "amends", "resetkeys"}, slices.Delete(slices.Clone(keys), i, i+1)...)...)
		refuses(t, Options{URL: url}, "'"+missing+"'", "+hget", "+hset")
	}
	cli(append([]string{"ACL", "SETUSER", "amends"}, keys...)...)

	if _, rules, _ := strings.Cut(deploy.RedisUsers, "user amends "); !strings.Contains(rules, strings.ReplaceAll(itsKeys, "'", "")) {
		t.Errorf("the advice has other keys than the deployment: %s", itsKeys)
	}

	// A permission that is lost later stops the change as a whole.
	cli("ACL", "SETUSER", "amends", "-evalsha")
	if _, err := l.Update(t.Context(), one(l, "allowed", "c"), opens); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
	refuses(t, Options{URL: url}, "+evalsha")
	refuses(t, Options{URL: "redis://amends:hunter2@" + server.Addr()}, "refuses", "WRONGPASS")
}

// TestEveryPermissionIsAskedFor takes each permission of the deployment away
// from the service's user, one at a time: the start is refused, and says which
// it was. What only some stores need is left out.
func TestEveryPermissionIsAskedFor(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithRefusals())
	_, rules, _ := strings.Cut(deploy.RedisUsers, "user amends ")
	asked := 0
	for _, rule := range strings.Fields(rules) {
		name, ok := strings.CutPrefix(rule, "+")
		if !ok || slices.Contains([]string{"cluster|slots", "config|get", "select"}, name) {
			continue
		}
		asked++
		if err := server.Client().ACLSetUser(t.Context(), "amends", "-"+name).Err(); err != nil {
			t.Fatal(err)
		}
		refuses(t, Options{URL: server.URL()}, name)
		if err := server.Client().ACLSetUser(t.Context(), "amends", rule).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if asked < 30 {
		t.Errorf("%d permissions, fewer than there are", asked)
	}
	openAt(t, server.URL())
}

// A permission that is given back ends the trouble that its lack has made. What no
// check can see is trusted again only after a while.
func TestMendedPermissions(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithRefusals())
	l := openAt(t, server.URL(), forgetful)
	for i, permission := range []string{"hset", "evalsha", "hmget"} { // within a script, of a script, and by itself
		w := one(l, "mended", strconv.Itoa(i))
		may := func(rule string) {
			t.Helper()
			if err := server.Client().ACLSetUser(t.Context(), "amends", rule+permission).Err(); err != nil {
				t.Fatal(err)
			}
		}
		may("-")
		if _, err := l.Update(t.Context(), w, opens); !errors.Is(err, ErrBroken) || !l.Refused() {
			t.Fatalf("without %s: %v, refused: %t", permission, err, l.Refused())
		}
		if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "+"+permission) {
			t.Errorf("without %s: %v", permission, err)
		}
		may("+")
		if err := l.Ready(t.Context()); err != nil || l.Refused() {
			t.Errorf("with %s again: %v, refused: %t", permission, err, l.Refused())
		}
		mustUpdate(t, l, w, opens)
	}

	b := Booking{Tenant: "shop", Currency: "USD", Day: time.Now(), CaseID: "c", Name: "n"}
	if _, err := l.Book(t.Context(), b, "", 1, 1, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err, Cause(err))
	}
	for _, key := range server.Client().Keys(t.Context(), "{budget}:*").Val() {
		server.Client().Set(t.Context(), key, "by hand", 0)
	}
	b.CaseID = "d"
	if _, err := l.Book(t.Context(), b, "", 1, 1, time.Now().Add(time.Hour)); !errors.Is(err, ErrBroken) {
		t.Errorf("a key of another kind: %v", err)
	}
	if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("a key of another kind: %v", err)
	}
}

// Whoever is asked to repair a key is told which.
func TestWhatIsToBeRepairedIsNamed(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	for name, tt := range map[string]struct {
		key func(names, Booking) string
		ask func(context.Context, *Ledger, Write, Booking) error
	}{
		"due index":           {func(n names, _ Booking) string { return n.due }, tryOpen},
		"stream":              {func(n names, _ Booking) string { return n.events }, tryOpen},
		"index of open cases": {func(n names, _ Booking) string { return n.open("shop") }, tryOpen},
		"due index that is read": {func(n names, _ Booking) string { return n.due }, func(ctx context.Context, l *Ledger, _ Write, _ Booking) error {
			_, err := l.Due(ctx, time.Now(), 1, nil)
			return err
		}},
		"index that is listed": {func(n names, _ Booking) string { return n.open("shop") }, func(ctx context.Context, l *Ledger, _ Write, _ Booking) error {
			_, err := l.List(ctx, Query{Tenant: "shop", Most: 1})
			return err
		}},
		"stream that is erased":  {func(n names, _ Booking) string { return n.events }, tryErase},
		"what was erased of it":  {func(n names, _ Booking) string { return n.erased() }, tryErase},
		"amount":                 {func(_ names, b Booking) string { return b.dayKey() }, tryBook},
		"budget of a day":        {func(_ names, b Booking) string { return b.dayKey() }, tryBook},
		"tenants by their total": {func(_ names, b Booking) string { return ranksKey(b.Currency, b.Day) }, tryBook},
		"bookings":               {func(names, Booking) string { return budgetNames.customer }, tryBook},
		"budget that is read": {func(_ names, b Booking) string { return b.dayKey() }, func(ctx context.Context, l *Ledger, _ Write, b Booking) error {
			_, err := l.BudgetUsed(ctx, b.Tenant, b.Currency, b.Day)
			return err
		}},
		"bookings that are read": {func(names, Booking) string { return budgetNames.customer }, func(ctx context.Context, l *Ledger, _ Write, b Booking) error {
			_, err := l.DoubtfulBookings(ctx, b.Day, 1)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server.Client().FlushAll(t.Context())
			l := openAt(t, server.URL())
			w := one(l, "named", "a")
			mustUpdate(t, l, w, opens)
			b := Booking{Tenant: "shop", Currency: "USD", Day: time.Now(), CaseID: CaseID(w.Key, 1), Name: "n"}
			key := tt.key(mustNames(t, l, w.Key), b)
			if name == "amount" {
				server.Client().HSet(t.Context(), key, totalField(b.Currency), "by hand")
			} else {
				server.Client().Set(t.Context(), key, "by hand", 0)
			}
			if err := tt.ask(t.Context(), l, w, b); !errors.Is(err, ErrBroken) {
				t.Error(err)
			}
			if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("not ready: %v", err)
			}
		})
	}
}

func tryOpen(ctx context.Context, l *Ledger, w Write, _ Booking) error {
	w.Requests[0].ID += " again"
	_, err := l.Update(ctx, w, opens)
	return err
}

func tryErase(ctx context.Context, l *Ledger, w Write, _ Booking) error {
	_, err := l.Erase(ctx, "shop", w.Key, time.Hour)
	return err
}

func tryBook(ctx context.Context, l *Ledger, _ Write, b Booking) error {
	_, err := l.Book(ctx, b, "", 1, 10, b.Day.Add(time.Hour))
	return err
}

func TestNumberedDatabase(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	l := openAt(t, server.URL()+"/3")
	mustUpdate(t, l, one(l, "numbered", "a"), count)
	if n := server.Client().DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys in database 0", n)
	}
}

func TestClocksAgree(t *testing.T) {
	server := redistest.Shared(t)
	var log bytes.Buffer
	l := openAt(t, server.URL(), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, tc := range []struct {
		by      time.Duration
		refused bool
		logged  bool
	}{
		{0, false, false},
		{800 * time.Millisecond, false, false},
		{2 * time.Second, false, true},
		{-2 * time.Second, false, true},
		{6 * time.Second, true, false},
		{-6 * time.Second, true, false},
	} {
		log.Reset()
		l.clock = func() time.Time { return time.Now().Add(tc.by) }
		err := l.Ready(t.Context())
		if again := l.Ready(t.Context()); again != nil && again.Error() != err.Error() {
			t.Errorf("clock off by %v: told as news: %v", tc.by, again)
		}
		if (err != nil) != tc.refused || err != nil && !strings.Contains(err.Error(), "let both follow one time source") {
			t.Errorf("clock off by %v: %v", tc.by, err)
		}
		if n := strings.Count(log.String(), "clocks of this machine and of Redis differ"); n != map[bool]int{true: 1}[tc.logged] {
			t.Errorf("clock off by %v: logged %d times: %s", tc.by, n, log.String())
		}
	}
}

func TestReplicasAreChecked(t *testing.T) {
	t.Parallel()
	s := redistest.Sentinel(t)
	l := openAt(t, s.URL())
	mustUpdate(t, l, one(l, "sentinel", "a"), count)
	if err := s.Replica().Client().ConfigSet(t.Context(), "maxmemory-policy", "volatile-ttl").Err(); err != nil {
		t.Fatal(err)
	}
	want := "the Redis at " + s.Replica().Addr() + " would delete customers when its memory is full (maxmemory-policy volatile-ttl)"
	if err := l.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a replica that evicts: %v", err)
	}
	s.Replica().Kill()
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("a replica that is down takes the service down: %v", err)
	}
	s.Replica().Start()
	if err := s.Replica().Client().ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err(); err != nil {
		t.Fatal(err)
	}

	// The sentinel makes the replica master; the ledger follows by itself.
	time.Sleep(time.Second) // the replica catches up
	s.Master().Kill()
	deadline := time.Now().Add(10 * time.Second)
	for tryUpdate(t, l, one(l, "sentinel", "b"), count) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the ledger did not follow the new master")
		}
	}
	if s := mustLoad(t, l, l.Key("shop", "sentinel")); s.Customer.Orders != 2 {
		t.Errorf("%d orders after the failover", s.Customer.Orders)
	}
}

// What sentinels do not know, and whom they do not let in, is told as such.
func TestSentinelsThatRefuse(t *testing.T) {
	t.Parallel()
	s := redistest.Sentinel(t)
	refuses(t, Options{URL: strings.Replace(s.URL(), "/"+redistest.MasterName, "/other", 1)}, "know no master of that name", "/MASTER", "SENTINEL MASTERS")
	refuses(t, Options{URL: strings.Split(s.URL(), "?")[0]}, "NOAUTH", "?sentinel_user= and ?sentinel_password=")
}

func TestTheEmbeddedStoreWarnsAndIsPrivate(t *testing.T) {
	var log bytes.Buffer
	l := openAt(t, Embedded, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "the embedded store keeps nothing") {
		t.Errorf("logged: %s", log.String())
	}
	stranger := redis.NewClient(&redis.Options{Addr: l.client.(*redis.Client).Options().Addr})
	defer stranger.Close()
	if err := stranger.HGetAll(t.Context(), metaKey).Err(); err == nil {
		t.Error("others on this machine can read it")
	}
}

// A store that comes back empty, or is another one, is told once; it is still
// used, since it cannot be told from a new beginning.
func TestAnotherStoreIsNoticed(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	var log bytes.Buffer
	l := openAt(t, server.URL(), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	told := func() int {
		t.Helper()
		if err := l.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		return strings.Count(log.String(), `level=WARN msg="this store is empty or another one than before: what was kept there is gone"`)
	}
	if n := told(); n != 0 {
		t.Errorf("told of the first store:\n%s", &log)
	}
	for i, change := range []func() error{
		func() error { return server.Client().FlushAll(t.Context()).Err() },
		func() error { return server.Client().HSet(t.Context(), metaKey, epochField, "of another").Err() },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if n := told(); n != i+1 {
				t.Errorf("after change %d, told %d times:\n%s", i, n, &log)
			}
		}
	}
}

// Why a store may lose what it is told stands in the log whenever that changes, and
// when it is mended.
func TestWhatIsNotDurableIsTold(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithAOF())
	var log bytes.Buffer
	l := openAt(t, server.URL(), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, step := range []struct{ setting, value, want string }{
		{"appendfsync", "no", `why="appendfsync no"`},
		{"appendfsync", "everysec", `msg="no longer: this Redis may lose what it is told"`},
		{"appendonly", "no", `why="appendonly no"`},
		{"appendfsync", "no", `why="appendonly no; appendfsync no"`},
	} {
		log.Reset()
		if err := server.Client().ConfigSet(t.Context(), step.setting, step.value).Err(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := l.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := strings.Count(log.String(), "may lose what it is told"); n != 1 || !strings.Contains(log.String(), step.want) {
			t.Errorf("%s %s: told %d times, want %s:\n%s", step.setting, step.value, n, step.want, &log)
		}
	}
	faults := parseInfo("aof_enabled:1\r\naof_last_write_status:err\r\nmaxmemory_policy:noeviction\r\n").loses()
	if !slices.Equal(faults, []string{"aof_last_write_status err"}) {
		t.Errorf("a disk that is full: %q", faults)
	}
}

// How full the memory of the store is can be seen before it refuses changes.
func TestFullest(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	l := openAt(t, server.URL())
	if full := l.Fullest(); full <= 0 || full > 0.1 {
		t.Errorf("nearly empty, it is said to be %v", full)
	}
	used, err := strconv.Atoi(parseInfo(server.Client().Info(t.Context(), "memory").Val())["used_memory"])
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Client().ConfigSet(t.Context(), "maxmemory", strconv.Itoa(2*used)).Err(); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if full := l.Fullest(); full < 0.4 || full > 0.8 {
		t.Errorf("half full, it is said to be %v", full)
	}
	if full := parseInfo("used_memory:1000\r\nmaxmemory:0\r\n").full(); full != 0 {
		t.Errorf("without a limit: %v", full)
	}
}

// Whoever names a replica at the first start is told to name the master.
func TestAReplicaIsNoMaster(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	if err := server.Client().Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	refuses(t, Options{URL: server.URL()}, "READONLY", "name the master in the address")
}

// One customer who cannot be read is no reason to refuse all others.
func TestAnUnreadableCustomerIsAlone(t *testing.T) {
	l := openAt(t, Embedded, forgetful)
	w := one(l, "unreadable", "a")
	mustUpdate(t, l, w, opens)
	asAdmin(t, l).client.HSet(t.Context(), mustNames(t, l, w.Key).customer, "s", "not ours")
	if _, err := l.Update(t.Context(), one(l, "unreadable", "b"), count); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
	if err := l.Ready(t.Context()); err != nil {
		t.Errorf("not ready for others: %v", err)
	}
}

// Without its first line a script may be stopped between two writes when the
// memory is full; only miniredis, which does not know the line, goes without.
func TestScriptsAreRefusedAsAWhole(t *testing.T) {
	for name, source := range map[string]string{"commit.lua": commitSource, "acl.lua": aclSource, "orphan.lua": orphanSource, "erase.lua": eraseSource, "budget.lua": budgetSource} {
		if !strings.HasPrefix(source, "#!lua") {
			t.Errorf("%s does not start with #!lua", name)
		}
	}
	if newScript(commitSource, false).hash == newScript(commitSource, true).hash {
		t.Error("the line is lost on the way to Redis, or kept for miniredis")
	}
}
