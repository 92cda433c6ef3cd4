package rpc

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Names makes the keyed hashes by which customers, orders and incidents are known.
type Names interface {
	Key(tenant, customer string) ledger.Key
	Hash(domain, value string) string
}

// Writer changes customers.
type Writer interface {
	Update(ctx context.Context, w ledger.Write, judge ledger.Judge) ([]ledger.Result, error)
	Together(ctx context.Context, n int, do func(ctx context.Context, i int))
}

// Reader reads customers and cases.
type Reader interface {
	Load(ctx context.Context, key ledger.Key) (ledger.Snapshot, error)
	Case(ctx context.Context, caseID string) (ledger.Snapshot, recovery.Case, error)
	Cases(ctx context.Context, key ledger.Key) (ledger.Snapshot, []recovery.Case, error)
}

// Purse keeps what each tenant gives without approval within its daily budget.
type Purse interface {
	Book(ctx context.Context, b ledger.Booking, instead string, upTo, limit int64, check time.Time) (granted int64, err error)
	ReturnBooking(ctx context.Context, b ledger.Booking) error
	SettleOffers(ctx context.Context, tenant string, key ledger.Key, changed []recovery.Case) error
	ReconcileOffers(ctx context.Context, caseID string) error
	BudgetUsed(ctx context.Context, tenant, currency string, day time.Time) (int64, error)
}

// Packer has answers kept without the words that they have in common.
type Packer interface {
	Words(ctx context.Context, name string, samples func() []byte) *ledger.Words
}

// Ledger is where customers are kept.
type Ledger interface {
	Names
	Writer
	Packer
	Reader
	Lister
	Purse
	Eraser
}

// Rulebook gives the policies to judge by: the active one, and those of the
// versions asked for as far as they are kept.
type Rulebook interface {
	Rules(ctx context.Context, versions ...string) (recovery.Rules, error)
}

// Service implements RecoveryService and PolicyService. Make it with [New].
type Service struct {
	recoveryv1.UnimplementedRecoveryServiceServer
	recoveryv1.UnimplementedPolicyServiceServer

	ledger   Ledger
	rules    Rulebook
	shelf    Shelf
	now      func() time.Time
	tracer   trace.Tracer
	inspect  *inspector
	watching Watching
	admit    func(context.Context) (turn context.Context, done func(), err error)
	failed   func(context.Context, FailedItems)
	checks   *semaphore.Weighted // policies that are read or wait for that
	checking *semaphore.Weighted // of one of them
	ahead    *semaphore.Weighted // what all streams of Ingest together have read ahead
}

// Config is what a Service works with.
type Config struct {
	Ledger Ledger
	Rules  Rulebook
	Shelf  Shelf
	// Now is the clock.
	Now func() time.Time
	// Tracer makes the spans of decisions.
	Tracer trace.Tracer
	// Watching follows transitions.
	Watching Watching
	// Admit waits until items of a stream may be carried out, with the context that
	// it gives, and fails only when the context ends; nil: they may at once.
	Admit func(ctx context.Context) (turn context.Context, done func(), err error)
	// Failed is told of items that were refused although their call was not; nil:
	// nobody is. The context is that of the trace that the error names.
	Failed func(ctx context.Context, items FailedItems)
}

// New makes the service. It fails when the rules of the contract do not
// compile, which a test of the contract excludes.
func New(c Config) (*Service, error) {
	s := &Service{ledger: c.Ledger, rules: c.Rules, shelf: c.Shelf, now: c.Now, tracer: c.Tracer,
		watching: c.Watching, admit: c.Admit, failed: c.Failed,
		checks: semaphore.NewWeighted(mostChecks), checking: semaphore.NewWeighted(1), ahead: semaphore.NewWeighted(AllWindowBytes)}
	if s.admit == nil {
		s.admit = func(ctx context.Context) (context.Context, func(), error) { return ctx, func() {}, nil }
	}
	if s.failed == nil {
		s.failed = func(context.Context, FailedItems) {}
	}
	rules, err := contractRules()
	if err != nil {
		return nil, err
	}
	s.inspect = &inspector{rules: rules, policy: c.Rules, now: c.Now}
	return s, nil
}

// Register offers both services.
func (s *Service) Register(on grpc.ServiceRegistrar) {
	recoveryv1.RegisterRecoveryServiceServer(on, s)
	recoveryv1.RegisterPolicyServiceServer(on, s)
}

// rulesFor gives the policies that judge a customer: those of the cases at hand
// beside the active one.
func (s *Service) rulesFor(ctx context.Context, c recovery.Customer) (recovery.Rules, error) {
	return s.rules.Rules(ctx, c.Policies()...)
}
