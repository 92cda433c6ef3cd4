package bench

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/status"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func TestARefusedItemIsSeen(t *testing.T) {
	good := bytesOf(recoveryv1.IngestResponse_builder{Sequence: 7, Failure: recoveryv1.ReportFailureResponse_builder{Replayed: true}.Build()}.Build())
	if err := accepted(good); err != nil {
		t.Error(err)
	}
	bad := bytesOf(recoveryv1.IngestResponse_builder{Sequence: 7, Error: &status.Status{Code: 3, Message: "no"}}.Build())
	if accepted(bad) == nil || accepted([]byte{0xff}) == nil {
		t.Error("a refused item passes for a recorded one")
	}
}
