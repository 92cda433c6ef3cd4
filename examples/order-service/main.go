// Order-service reports a late order to Amends and prints what to do about it.
// Run it beside `amends serve`.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func main() {
	amends, err := client.New(client.Config{Target: "127.0.0.1:7070"})
	if err != nil {
		log.Fatal(err)
	}
	err = orderWasLate(context.Background(), amends, "order-17", time.Now(), os.Stdout)
	amends.Close()
	if err != nil {
		log.Fatal(err)
	}
}

// orderWasLate is called when an order has come 45 minutes late. The id of the
// event is made of the order, so that to call it twice counts once; the time is
// part of the event, and so must be the same then.
func orderWasLate(ctx context.Context, amends *client.Client, order string, at time.Time, out io.Writer) error {
	answer, err := amends.ReportFailure(ctx, recoveryv1.ReportFailureRequest_builder{Event: recoveryv1.FailureEvent_builder{
		EventId: order + ":late", OrderId: order, CustomerId: "customer-of-" + order, OccurredAt: timestamppb.New(at),
		Kinds: []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE}, Delay: durationpb.New(45 * time.Minute),
		OrderValue: &money.Money{CurrencyCode: "USD", Units: 18}, Channel: recoveryv1.Channel_CHANNEL_APP,
	}.Build()}.Build())
	if client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_ID_REUSED {
		fmt.Fprintf(out, "%s was reported before, with another time; that report stands, look at it: amends cases --customer customer-of-%s\n", order, order)
		return nil
	}
	if err != nil {
		return fmt.Errorf("report %s: %w", order, err)
	}
	c := answer.GetCase()
	fmt.Fprintf(out, "%s: answer within %s\n", c.GetAssessment().GetRisk().GetBand(), c.GetRespondBy().AsTime().Sub(c.GetOpenedAt().AsTime()))
	for _, item := range c.GetRecommendation().GetItems() {
		fmt.Fprintf(out, "give %s: %s", item.GetMedium(), item.GetDescription())
		if worth := item.GetAmount(); worth != nil {
			fmt.Fprintf(out, " (%d.%02d %s)", worth.GetUnits(), worth.GetNanos()/1e7, worth.GetCurrencyCode())
		}
		fmt.Fprintln(out)
	}
	return nil
}
