package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Bulk is what comes in many at a time.
var Bulk = Part{Name: "bulk", About: "events a second in batches and streams, and what calls take beside them",
	Lasts: func(r *Run) time.Duration { return time.Duration(11*r.Rounds) * r.Slice }, Run: bulk}

var (
	aimBatch  = Aim{Least: 5}
	aimStream = Aim{Least: 3}
)

const (
	streams = 4   // or batches, at a time
	unheard = 200 // items of a stream that are not answered yet, at most
)

func bulk(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "Many events at a time"}
	if err := r.crew(ctx); err != nil {
		return s, err
	}
	if err := r.makeKnown(ctx, firstContent, r.work.contents); err != nil {
		return s, err
	}
	ways := []struct {
		name, about string
		turn        func() *outcome
	}{
		{"unary", fmt.Sprintf("ReportFailure, %d callers", r.Callers), func() *outcome {
			return closed(ctx, r.Callers, r.Slice, r.reporting(r.service.target))
		}},
		{"ingest.failures", fmt.Sprintf("Ingest of failures, %d streams", streams), func() *outcome {
			return r.stream(ctx, r.Slice, r.nextFailure)
		}},
		{"batches", fmt.Sprintf("RecordInteractions, %d callers with batches of %d", streams, batchSize), func() *outcome { return r.batches(ctx, r.Slice) }},
		{"ingest.positives", fmt.Sprintf("Ingest of good experiences, %d streams", streams), func() *outcome {
			return r.stream(ctx, r.Slice, func() []byte {
				return bytesOf(recoveryv1.IngestRequest_builder{Interaction: r.work.praise(r.work.content())}.Build())
			})
		}},
	}
	all := make([]samples, len(ways))
	for round := range r.Rounds {
		complete := make([]sample, len(ways))
		for i := range inRound(round, len(ways)) {
			way := ways[i]
			r.say(way.about, round+1, r.Rounds)
			sample, err := r.take(ctx, r.service.target, way.turn)
			if err != nil {
				r.bulkFigures(&s, all, func(i int) (string, string) { return ways[i].name, ways[i].about })
				return s, fmt.Errorf("%s: %w", way.about, err)
			}
			complete[i] = sample
		}
		for i := range ways {
			all[i] = append(all[i], complete[i])
		}
	}
	r.bulkFigures(&s, all, func(i int) (string, string) { return ways[i].name, ways[i].about })
	return s, r.beside(ctx, &s)
}

// bulkFigures compares the ways with the first of them.
func (r *Run) bulkFigures(s *Section, all []samples, way func(int) (name, about string)) {
	if len(all[0]) == 0 {
		return
	}
	t := Table{Columns: []string{"way", "events/s", "server µs/event", "Redis µs/event", "Redis trips/event"}}
	aims := []Aim{{}, aimStream, aimBatch, aimBatch}
	var first Figure
	for i, of := range all {
		name, about := way(i)
		rate := of.each(name+".rate", about, "events/s", func(s sample) float64 { return s.rate() })
		cpu := of.perCall(name+".cpu", "processor time of the server, "+about, "µs/event", func(s sample) float64 { return micros(s.cpu) })
		redis := of.perCall(name+".redis.cpu", "processor time of Redis, "+about, "µs/event", func(s sample) float64 { return micros(s.redis.cpu) })
		trips := of.perCall(name+".redis.trips", "round trips to Redis, "+about, "/event", func(s sample) float64 { return s.redis.reads })
		s.Figures = append(s.Figures, tabled(rate, cpu, redis, trips)...)
		t.Rows = append(t.Rows, []string{about, Number(rate.Value), Number(cpu.Value), Number(redis.Value), Number(trips.Value)})
		if i == 0 {
			first = rate
		} else {
			s.Ratios = append(s.Ratios, NewRatio(name, "events a second, "+about+" : one by one", rate, first, aims[i]))
		}
	}
	s.Tables = append(s.Tables, t)
	s.Notes = append(s.Notes, "All events are of known customers: good experiences of some who have had nothing else, chosen at random; failures as in the section on one report. A failure that comes by Ingest is decided and answered as one that comes by ReportFailure.")
}

// batches keeps some callers busy with full batches.
func (r *Run) batches(ctx context.Context, lasts time.Duration) *outcome {
	all := closed(ctx, streams, lasts, func(ctx context.Context) (int, error) {
		body := r.work.batch(batchSize, func(int) string { return r.work.content() })
		var answer []byte
		err := r.service.conn().Invoke(ctx, recoveryv1.RecoveryService_RecordInteractions_FullMethodName, body, &answer, grpc.ForceCodecV2(wire{}))
		if err != nil {
			return 0, err
		}
		var results recoveryv1.RecordInteractionsResponse
		if err := proto.Unmarshal(answer, &results); err != nil {
			return 0, err
		}
		for _, result := range results.GetResults() {
			if result.GetStatus() != recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED {
				return 0, fmt.Errorf("a good experience was not recorded: %v", result)
			}
		}
		return len(answer), nil
	})
	all.done *= batchSize // what counts are events
	return all
}

// nextFailure is an item of Ingest.
func (r *Run) nextFailure() []byte {
	return bytesOf(recoveryv1.IngestRequest_builder{Failure: r.work.failure(r.work.fresh())}.Build())
}

// stream sends what it is given over streams of Ingest, as fast as they take it.
func (r *Run) stream(ctx context.Context, lasts time.Duration, next func() []byte) *outcome {
	all, begin := newOutcome(), time.Now()
	var done atomic.Int64
	var fault error
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range streams {
		wait.Go(func() {
			n, err := r.oneStream(ctx, begin.Add(lasts), next)
			done.Add(n)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				fault = err
			}
		})
	}
	wait.Wait()
	all.done, all.took, all.fault = done.Load(), time.Since(begin), fault
	if fault != nil {
		all.done, all.failed = 0, 1 // a faulty item makes the turn worthless
	}
	return all
}

func (r *Run) oneStream(ctx context.Context, end time.Time, next func() []byte) (done int64, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Until(end)+3*callLimit)
	defer cancel()
	s, err := r.service.conn().NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		recoveryv1.RecoveryService_Ingest_FullMethodName, grpc.ForceCodecV2(wire{}))
	if err != nil {
		return 0, err
	}
	room := make(chan struct{}, unheard)
	go func() {
		for time.Now().Before(end) {
			select {
			case room <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if s.SendMsg(next()) != nil {
				return // the receiver hears why
			}
		}
		_ = s.CloseSend()
	}()
	for {
		var answer []byte
		err := s.RecvMsg(&answer)
		if errors.Is(err, io.EOF) {
			return done, nil
		}
		if err == nil {
			err = accepted(answer)
		}
		if err != nil {
			return done, err
		}
		done++
		<-room
	}
}

// accepted looks for an error in an answer of Ingest, without reading all of it.
func accepted(answer []byte) error {
	const faultField = 4
	for rest := answer; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if number == faultField {
			var message recoveryv1.IngestResponse
			if err := proto.Unmarshal(answer, &message); err != nil {
				return err
			}
			return fmt.Errorf("an item was refused: %v", message.GetError())
		}
		m := protowire.ConsumeFieldValue(number, kind, rest[n:])
		if m < 0 {
			return protowire.ParseError(m)
		}
		rest = rest[n+m:]
	}
	return nil
}
