package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/bench/turns"
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
	unheard = 512 // items of a stream that are not answered yet, at most: as many as package client has
)

func bulk(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "Many events at a time"}
	if err := r.crew(ctx); err != nil {
		return s, err
	}
	if err := r.makeKnown(ctx, firstContent, r.work.contents); err != nil {
		return s, err
	}
	ways := r.ways()
	all := make([]samples, len(ways))
	for round := range r.Rounds {
		complete := make([]sample, len(ways))
		for i := range turns.InRound(round, len(ways)) {
			way := ways[i]
			r.say(way.about, round+1, r.Rounds)
			sample, err := r.take(ctx, r.service.target, func() *outcome { return way.run(ctx, r.Slice) })
			if err != nil {
				bulkFigures(&s, ways, all)
				return s, fmt.Errorf("%s: %w", way.about, err)
			}
			complete[i] = sample
		}
		for i := range ways {
			all[i] = append(all[i], complete[i])
		}
	}
	bulkFigures(&s, ways, all)
	return s, r.beside(ctx, &s)
}

// way is one to bring events, which keeps the service busy for a time.
type way struct {
	name, about string
	aim         Aim // beside the first of them
	run         func(ctx context.Context, lasts time.Duration) *outcome
}

// ways are those that are compared.
func (r *Run) ways() []way {
	return []way{
		{"unary", fmt.Sprintf("ReportFailure, %d callers", r.Callers), Aim{}, func(ctx context.Context, lasts time.Duration) *outcome {
			return closed(ctx, r.Callers, lasts, r.reporting(r.service.target))
		}},
		{"ingest.failures", fmt.Sprintf("Ingest of failures, %d streams", streams), aimStream, func(ctx context.Context, lasts time.Duration) *outcome {
			return r.stream(ctx, lasts, func() []byte {
				return bytesOf(recoveryv1.IngestRequest_builder{Failure: r.work.failure(r.work.fresh())}.Build())
			})
		}},
		{"batches", fmt.Sprintf("RecordInteractions, %d callers with batches of %d", streams, batchSize), aimBatch, r.batches},
		{"ingest.positives", fmt.Sprintf("Ingest of good experiences, %d streams", streams), aimBatch, func(ctx context.Context, lasts time.Duration) *outcome {
			return r.stream(ctx, lasts, func() []byte {
				return bytesOf(recoveryv1.IngestRequest_builder{Interaction: r.work.praise(r.work.content())}.Build())
			})
		}},
	}
}

// bulkFigures compares the ways with the first of them.
func bulkFigures(s *Section, ways []way, all []samples) {
	if len(all[0]) == 0 {
		return
	}
	t := Table{Columns: []string{"way", "events/s", "server µs/event", "Redis µs/event", "Redis trips/event"}}
	var first Figure
	for i, of := range all {
		name, about := ways[i].name, ways[i].about
		rate := of.each(name+".rate", about, "events/s", sample.rate)
		cpu := of.perCall(name+".cpu", "processor time of the server, "+about, "µs/event", sample.serverCPU)
		redis := of.perCall(name+".redis.cpu", "processor time of Redis, "+about, "µs/event", sample.redisCPU)
		trips := of.perCall(name+".redis.trips", "round trips to Redis, "+about, "/event", sample.trips)
		s.Figures = append(s.Figures, tabled(rate, cpu, redis, trips)...)
		t.Rows = append(t.Rows, []string{about, Number(rate.Value), Number(cpu.Value), Number(redis.Value), Number(trips.Value)})
		if i == 0 {
			first = rate
		} else {
			s.Ratios = append(s.Ratios, NewRatio(name, "events a second, "+about+" : one by one", rate, first, ways[i].aim))
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
	for _, calls := range []*int64{&all.done, &all.refused, &all.failed} {
		*calls *= batchSize // what counts are events
	}
	return all
}

// stream sends what it is given over streams of Ingest, as fast as they take it.
func (r *Run) stream(ctx context.Context, lasts time.Duration, next func() []byte) *outcome {
	all, begin := newOutcome(), time.Now()
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range streams {
		wait.Go(func() {
			done, err := r.oneStream(ctx, begin.Add(lasts), next)
			mu.Lock()
			defer mu.Unlock()
			all.done += done
			if err != nil { // it ends the stream, so it is one event at most
				all.failed++
				all.fault = cmp.Or(all.fault, err)
			}
		})
	}
	wait.Wait()
	all.took = time.Since(begin)
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
