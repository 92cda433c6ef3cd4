package story

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Player plays stories through a service whose clock it sets.
type Player struct {
	Service recoveryv1.RecoveryServiceClient
	Clock   *Clock
	Tenant  string
}

// Scene is what one step came to. Event and Case are nil where the step only
// tells of positives.
type Scene struct {
	Step  Step
	At    time.Time
	Event *recoveryv1.FailureEvent
	Case  *recoveryv1.Case
}

// Play plays a story so that its decision falls on the given moment, and gives
// what each step came to.
func (p *Player) Play(ctx context.Context, s Story, decision time.Time) ([]Scene, error) {
	scenes := make([]Scene, 0, len(s.Steps))
	caseID := ""
	for i, step := range s.Steps {
		scene := Scene{Step: step, At: decision.Add(time.Duration(step.At))}
		p.Clock.Set(scene.At)
		var err error
		switch {
		case step.Report != nil:
			scene.Event, scene.Case, err = p.report(ctx, s, i, scene.At)
		case step.Look:
			scene.Case, err = p.look(ctx, caseID)
		case step.Take != "":
			scene.Case, err = p.take(ctx, step.Take, caseID, fmt.Sprintf("story-%s-%d", s.ID, i+1))
		default:
			err = p.praise(ctx, s, i, scene.At)
		}
		if err != nil {
			return nil, fmt.Errorf("story %s, step %d: %w", s.ID, i+1, err)
		}
		if scene.Case != nil {
			caseID = scene.Case.GetCaseId()
		}
		scenes = append(scenes, scene)
	}
	return scenes, nil
}

func (p *Player) report(ctx context.Context, s Story, i int, at time.Time) (*recoveryv1.FailureEvent, *recoveryv1.Case, error) {
	event, err := s.Steps[i].event(at)
	if err != nil {
		return nil, nil, err
	}
	event.SetEventId(fmt.Sprintf("story-%s-%d", s.ID, i+1))
	event.SetTenant(p.Tenant)
	event.SetCustomerId("customer-" + s.ID)
	answer, err := p.Service.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: event}.Build())
	return event, answer.GetCase(), err
}

func (p *Player) look(ctx context.Context, caseID string) (*recoveryv1.Case, error) {
	answer, err := p.Service.GetCase(ctx, recoveryv1.GetCaseRequest_builder{CaseId: caseID}.Build())
	return answer.GetCase(), err
}

func (p *Player) praise(ctx context.Context, s Story, i int, at time.Time) error {
	req := &recoveryv1.RecordInteractionsRequest{}
	for name, count := range s.Steps[i].Positives {
		kind := recoveryv1.InteractionKind(recoveryv1.InteractionKind_value["INTERACTION_KIND_"+name])
		for n := range count {
			item := &recoveryv1.Interaction{}
			item.SetInteractionId(fmt.Sprintf("story-%s-%d-%s-%d", s.ID, i+1, name, n))
			item.SetTenant(p.Tenant)
			item.SetCustomerId("customer-" + s.ID)
			item.SetOccurredAt(timestamppb.New(at))
			item.SetKind(kind)
			req.SetInteractions(append(req.GetInteractions(), item))
		}
	}
	_, err := p.Service.RecordInteractions(ctx, req)
	return err
}
