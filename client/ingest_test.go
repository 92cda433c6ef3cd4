package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// praised is one item of a load.
func praised(id, customer string) *recoveryv1.IngestRequest {
	return recoveryv1.IngestRequest_builder{Interaction: recoveryv1.Interaction_builder{
		InteractionId: id, CustomerId: customer, OccurredAt: timestamppb.Now(),
		Kind: recoveryv1.InteractionKind_INTERACTION_KIND_PRAISE,
	}.Build()}.Build()
}

// numbered gives items from 0 on.
func numbered(count int) iter.Seq[*recoveryv1.IngestRequest] {
	return func(yield func(*recoveryv1.IngestRequest) bool) {
		for n := range count {
			if !yield(praised(fmt.Sprint(n), "c")) {
				return
			}
		}
	}
}

// received is what a stream has been sent, for as long as it answers.
type received struct {
	loading
	n int64
}

// answer takes one item and answers it with the error, nil for none.
func (r *received) answer(refuse func(id string) error) (id string, _ error) {
	item, err := r.Recv()
	if err != nil {
		return "", err
	}
	id = item.GetInteraction().GetInteractionId()
	answer := recoveryv1.IngestResponse_builder{Sequence: r.n}.Build()
	answer.SetInteraction(recoveryv1.InteractionResult_builder{
		InteractionId: id, Status: recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED,
	}.Build())
	if err := refuse(id); err != nil {
		answer.SetError(status.Convert(err).Proto())
	}
	r.n++
	return id, r.Send(answer)
}

func nothing(string) error { return nil }

// all answers a stream to its end.
func (r *received) all(refuse func(id string) error) error {
	for {
		if _, err := r.answer(refuse); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// Answers come in the order of the items, each item once, however the streams
// end under them.
func TestIngestAllGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &desk{ingest: func(n int, stream loading) error {
		r := &received{loading: stream}
		for range 100 * n {
			if _, err := r.answer(nothing); err != nil {
				return nil
			}
		}
		switch n {
		case 1:
			return refusal(codes.Unavailable, "SERVER_ENDING", after(time.Millisecond))
		case 2:
			return nil
		case 3:
			return status.Error(codes.Unavailable, "gone")
		default:
			return r.all(nothing)
		}
	}})
	c := open(t, client.Config{Target: d.address})
	n, lost := int64(0), 0
	for got, err := range c.IngestAll(t.Context(), numbered(3000), func(*client.Error) { lost++ }) {
		if err != nil || got.Err != nil || got.Answer.GetSequence() != n || got.Item.GetInteraction().GetInteractionId() != fmt.Sprint(n) ||
			got.Answer.GetInteraction().GetInteractionId() != fmt.Sprint(n) {
			t.Fatalf("result %d is %v, %v", n, got, err)
		}
		n++
	}
	if n != 3000 || lost != 3 || len(d.asked()) != 4 {
		t.Errorf("%d results, %d times lost, %d streams; want 3000, 3, 4", n, lost, len(d.asked()))
	}
}

// slowly gives items one by one: while the service is busy with an item that fails, others must come.
func slowly(count int) iter.Seq[*recoveryv1.IngestRequest] {
	return func(yield func(*recoveryv1.IngestRequest) bool) {
		for item := range numbered(count) {
			time.Sleep(5 * time.Millisecond)
			if !yield(item) {
				return
			}
		}
	}
}

// What an item is refused with for the moment is tried again, a bounded number
// of times while others are dealt with, and its answer keeps its place.
func TestIngestAllTriesAgain(t *testing.T) {
	t.Parallel()
	tries := map[string]int{}
	d := newDesk(t, &desk{ingest: func(_ int, stream loading) error {
		return (&received{loading: stream}).all(func(id string) error {
			tries[id]++
			switch {
			case id == "3" && tries[id] < 3:
				return refusal(codes.ResourceExhausted, "OVERLOADED", after(time.Millisecond))
			case id == "5":
				return refusal(codes.Unavailable, "STORE_UNAVAILABLE", after(time.Millisecond))
			case id == "7":
				return refusal(codes.InvalidArgument, "INVALID_REQUEST")
			case id == "8":
				return refusal(codes.ResourceExhausted, "MESSAGE_TOO_LARGE")
			case id == "9":
				return refusal(codes.ResourceExhausted, "CUSTOMER_LIMIT", after(24*time.Hour))
			}
			return nil
		})
	}})
	c := open(t, client.Config{Target: d.address, Patience: time.Millisecond})
	var refused []string
	n := 0
	for got, err := range c.IngestAll(t.Context(), slowly(200)) {
		if err != nil {
			t.Fatal(err)
		}
		if id := got.Item.GetInteraction().GetInteractionId(); id != fmt.Sprint(n) {
			t.Fatalf("result %d is of %s", n, id)
		}
		if n++; got.Err != nil {
			refused = append(refused, got.Item.GetInteraction().GetInteractionId()+" "+got.Err.Reason.String())
		}
	}
	want := []string{"5 ERROR_REASON_STORE_UNAVAILABLE", "7 ERROR_REASON_INVALID_REQUEST", "8 ERROR_REASON_MESSAGE_TOO_LARGE", "9 ERROR_REASON_CUSTOMER_LIMIT"}
	if n != 200 || !slices.Equal(refused, want) {
		t.Errorf("%d results, refused %v, want %v", n, refused, want)
	}
	if tries["3"] != 3 || tries["5"] < 5 || tries["5"] > 8 || tries["7"] != 1 || tries["8"] != 1 || tries["9"] != 1 {
		t.Errorf("tries %d, %d, %d, %d, %d; want 3, 5 or some more, 1, 1, 1", tries["3"], tries["5"], tries["7"], tries["8"], tries["9"])
	}
}

// A shard that is lost refuses its items, and no others, for longer than some tries
// take: until a replica has taken over.
func TestIngestAllWaitsForAFailover(t *testing.T) {
	t.Parallel()
	const outage = 3 * time.Second
	tries, lost := 0, time.Time{}
	d := newDesk(t, &desk{ingest: func(_ int, stream loading) error {
		return (&received{loading: stream}).all(func(id string) error {
			if id != "5" {
				return nil
			}
			if tries++; tries == 1 {
				lost = time.Now()
			}
			if time.Since(lost) < outage {
				return refusal(codes.Unavailable, "STORE_UNAVAILABLE", after(time.Millisecond))
			}
			return nil
		})
	}})
	n := 0
	for got, err := range open(t, client.Config{Target: d.address}).IngestAll(t.Context(), slowly(1000)) {
		if err != nil || got.Err != nil {
			t.Fatal(n, err, got.Err)
		}
		n++
	}
	if n != 1000 || tries <= mostTries {
		t.Errorf("%d results; %d tries, which shows nothing unless they are more than %d", n, tries, mostTries)
	}
}

// Where nobody takes over, only the first items are waited for so long.
func TestIngestAllGivesUpALostShard(t *testing.T) {
	t.Parallel()
	tries := map[string]int{}
	d := newDesk(t, &desk{ingest: func(_ int, stream loading) error {
		return (&received{loading: stream}).all(func(id string) error {
			if strings.HasSuffix(id, "00") {
				tries[id]++
				return refusal(codes.Unavailable, "STORE_UNAVAILABLE", after(time.Millisecond))
			}
			return nil
		})
	}})
	var refused []int
	for got, err := range open(t, client.Config{Target: d.address, Patience: 6 * time.Second}).IngestAll(t.Context(), slowly(450)) {
		if err != nil {
			t.Fatal(err)
		}
		if got.Err != nil {
			refused = append(refused, tries[got.Item.GetInteraction().GetInteractionId()])
		}
	}
	if len(refused) != 4 || refused[0] <= 2*mostTries || slices.Max(refused[2:]) > refused[0]/2 {
		t.Errorf("refused after %v tries, want more than %d for the first of four, and not half as many for the last two", refused, 2*mostTries)
	}
}

// While nothing is dealt with nobody is given up: a store that is away for long
// costs no item.
func TestIngestAllWaitsForTheStore(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &desk{ingest: func(n int, stream loading) error {
		return (&received{loading: stream}).all(func(string) error {
			if n <= mostTries {
				return refusal(codes.Unavailable, "STORE_UNAVAILABLE", after(time.Millisecond))
			}
			return nil
		})
	}})
	for got, err := range open(t, client.Config{Target: d.address}).IngestAll(t.Context(), numbered(50)) {
		if err != nil || got.Err != nil {
			t.Fatal(err, got.Err)
		}
	}
	if n := len(d.asked()); n != mostTries+1 {
		t.Errorf("%d streams, want %d", n, mostTries+1)
	}
}

// mostTries is more than an item is tried while others are dealt with.
const mostTries = 6

// What passes by itself does not end a load; the rest does, and is told last.
func TestIngestAllEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &desk{ingest: func(_ int, stream loading) error {
		if _, err := (&received{loading: stream}).answer(nothing); err != nil {
			return err
		}
		return refusal(codes.PermissionDenied, "PERMISSION_DENIED")
	}})
	c := open(t, client.Config{Target: d.address})
	n := 0
	var last error
	for _, err := range c.IngestAll(t.Context(), numbered(1000)) {
		n++
		last = err
	}
	if n != 2 || client.Reason(last) != recoveryv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED {
		t.Errorf("%d results, the last %v", n, last)
	}

	c = open(t, client.Config{Target: address})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	endless := func(yield func(*recoveryv1.IngestRequest) bool) {
		if yield(praised("i", "endless")) {
			<-ctx.Done()
		}
	}
	for _, err := range c.IngestAll(ctx, endless) {
		cancel()
		last = err
	}
	if client.Reason(last) != recoveryv1.ErrorReason_ERROR_REASON_CANCELLED {
		t.Errorf("cancelled, it ends with %v", last)
	}
	for range c.IngestAll(t.Context(), numbered(1000)) {
		break // leaves nothing behind: TestMain looks
	}
	for got, err := range c.IngestAll(t.Context(), numbered(0)) {
		t.Error(got, err)
	}
}

// An item that cannot be sent costs nothing but itself.
func TestIngestAllOfBadItems(t *testing.T) {
	t.Parallel()
	c := open(t, client.Config{Target: address})
	customer := fmt.Sprintf("c-%d", time.Now().UnixNano())
	items := []*recoveryv1.IngestRequest{
		praised("1", customer), praised(strings.Repeat("x", 2<<20), customer), praised("3", customer), praised("\xff", customer),
		praised("5", customer), {}, praised("5", customer),
	}
	items[6].GetInteraction().SetOccurredAt(items[4].GetInteraction().GetOccurredAt())
	var got []string
	for result, err := range c.IngestAll(t.Context(), slices.Values(items)) {
		if err != nil {
			t.Fatal(err)
		}
		word := "recorded"
		switch {
		case result.Err != nil:
			word = strings.TrimPrefix(result.Err.Reason.String(), "ERROR_REASON_")
		case result.Replayed:
			word = "replayed"
		}
		got = append(got, word)
	}
	want := []string{"recorded", "MESSAGE_TOO_LARGE", "recorded", "MALFORMED_MESSAGE", "recorded", "INVALID_REQUEST", "replayed"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// No more is under way than can be sent again.
func TestIngestAllIsBounded(t *testing.T) {
	t.Parallel()
	begin := make(chan struct{})
	d := newDesk(t, &desk{ingest: func(_ int, stream loading) error {
		<-begin
		return (&received{loading: stream}).all(nothing)
	}})
	var taken atomic.Int64
	items := func(yield func(*recoveryv1.IngestRequest) bool) {
		for item := range numbered(5000) {
			taken.Add(1)
			if !yield(item) {
				return
			}
		}
	}
	var early int64
	time.AfterFunc(500*time.Millisecond, func() {
		early = taken.Load()
		close(begin)
	})
	n := 0
	for _, err := range open(t, client.Config{Target: d.address}).IngestAll(t.Context(), items) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5000 || early > 600 {
		t.Errorf("%d results, %d items taken before the first answer", n, early)
	}
}

// Nor is more held behind an item that is refused again and again, while what comes after it is dealt with.
func TestIngestAllIsBoundedBehindARefusal(t *testing.T) {
	t.Parallel()
	tries := 0
	d := newDesk(t, &desk{ingest: func(_ int, stream loading) error {
		return (&received{loading: stream}).all(func(id string) error {
			if id != "0" {
				return nil
			}
			tries++
			return refusal(codes.Unavailable, "STORE_UNAVAILABLE", after(time.Millisecond))
		})
	}})
	var taken, handed, most atomic.Int64
	items := func(yield func(*recoveryv1.IngestRequest) bool) {
		for item := range numbered(20000) {
			most.Store(max(most.Load(), taken.Add(1)-handed.Load()))
			if !yield(item) {
				return
			}
		}
	}
	for got, err := range open(t, client.Config{Target: d.address, Patience: 2 * time.Second}).IngestAll(t.Context(), items) {
		n := handed.Add(1) - 1
		if err != nil || got.Item.GetInteraction().GetInteractionId() != fmt.Sprint(n) || (got.Err != nil) != (n == 0) {
			t.Fatalf("result %d is %v, %v", n, got, err)
		}
	}
	if handed.Load() != 20000 || most.Load() > 1100 || tries <= mostTries {
		t.Errorf("%d results, up to %d items held, %d tries; want 20000, 1024 and some, more than %d", handed.Load(), most.Load(), tries, mostTries)
	}
}
